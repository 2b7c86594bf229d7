// The applications of a project: made, changed and deleted, in their list and on their own page.
import type { Locator } from "@playwright/test";
import { ApiKeys } from "../support/api-keys.ts";
import { sendTrace } from "../support/api.ts";
import { type Dashboard, FIRST_APPLICATION } from "../support/dashboard.ts";
import { expect, test } from "../support/fixtures.ts";

class Applications {
  constructor(readonly dashboard: Dashboard) {}

  async open(): Promise<void> {
    await this.dashboard.page.goto(`/projects/${this.dashboard.projectId}/applications`);
    await expect(this.dashboard.heading("Applications")).toBeVisible();
    await expect(this.row(FIRST_APPLICATION)).toBeVisible();
  }

  row(name: string): Locator {
    const { page } = this.dashboard;
    return page.getByRole("row").filter({ has: page.getByRole("link", { name, exact: true }) });
  }

  get create(): Locator {
    return this.dashboard.page.getByRole("main").getByRole("button", { name: "New application" });
  }

  dialog(title: string): Locator {
    return this.dashboard.page.getByRole("dialog", { name: title });
  }

  confirm(name: string): Locator {
    return this.dashboard.page.getByRole("alertdialog", { name: `Delete “${name}”?` });
  }

  async act(name: string, verb: "Edit…" | "Delete…"): Promise<void> {
    const { page } = this.dashboard;
    await page.getByRole("button", { name: `Actions for ${name}` }).click();
    await page.getByRole("menuitem", { name: verb }).click();
  }

  toast(text: string): Locator {
    return this.dashboard.page.getByRole("status").filter({ hasText: text });
  }
}

test("an application is created, changed and deleted", async ({ application, page }) => {
  const applications = new Applications(application);
  await applications.open();
  await applications.create.click();
  const dialog = applications.dialog("Create application");
  await expect(dialog.getByRole("textbox", { name: "Name" })).toBeFocused();
  await dialog.getByRole("button", { name: "Create application" }).click();
  await expect(dialog.getByText("Enter a name.")).toBeVisible();
  await dialog.getByRole("textbox", { name: "Name" }).fill("Web checkout");
  await dialog.getByRole("textbox", { name: "Description" }).fill("Takes the money.");
  await dialog.getByRole("radio", { name: "Staging" }).click();
  await dialog.getByRole("button", { name: "Create application" }).click();
  await expect(applications.toast("Application created")).toBeVisible();
  await expect(applications.row("Web checkout")).toContainText("Takes the money.");
  await expect(applications.row("Web checkout")).toContainText("Staging");
  await expect(applications.create).toBeFocused();

  await applications.act("Web checkout", "Edit…");
  const edit = applications.dialog("Edit “Web checkout”");
  await expect(edit.getByRole("radio", { name: "Staging" })).toBeChecked();
  await edit.getByRole("textbox", { name: "Name" }).fill("Checkout");
  await edit.getByRole("radio", { name: "Production" }).click();
  await edit.getByRole("button", { name: "Save application" }).click();
  await expect(applications.toast("Application saved")).toBeVisible();
  await expect(applications.row("Checkout")).toContainText("Production");
  await expect(applications.row("Checkout").getByRole("link")).toHaveAttribute("href", /\/applications\/checkout-app_\w+$/);

  await applications.act("Checkout", "Delete…");
  await expect(applications.confirm("Checkout").getByRole("button", { name: "Cancel" })).toBeFocused();
  await applications.confirm("Checkout").getByRole("button", { name: "Delete application" }).click();
  await expect(applications.toast("Application deleted")).toBeVisible();
  await expect(applications.row("Checkout")).toBeHidden();
  await expect(page.locator(":focus")).not.toHaveCount(0);
});

test("the list says how many keys each application has of its own, and how much they are used", async ({
  application,
  page,
  latchkey,
}) => {
  const key = await application.create("Web checkout");
  for (const path of ["/a", "/b", "/c"]) await sendTrace(latchkey.url, key, path);
  const keys = new ApiKeys(application);
  await keys.createElsewhere({ name: "For all of them" });
  const applications = new Applications(application);
  const counts = applications.row(FIRST_APPLICATION).getByRole("cell");
  await expect(async () => {
    await applications.open();
    await expect(counts.nth(3)).toHaveText(/^1\b/, { timeout: 1_000 });
    await expect(counts.nth(4)).toHaveText(/^3\b/, { timeout: 1_000 });
  }).toPass();
  await expect(page.getByText("Only active keys restricted to the application are counted.")).toBeVisible();
});

test("deleting an application says what goes with it, and it does", async ({ application, page, latchkey }) => {
  const key = await application.create("Web checkout");
  expect((await sendTrace(latchkey.url, key, "/before")).status).toBe(200);
  const applications = new Applications(application);
  await applications.act(FIRST_APPLICATION, "Delete…");
  const confirm = applications.confirm(FIRST_APPLICATION);
  await expect(confirm.getByText("1 key for this application alone is revoked at once.")).toBeVisible();
  await expect(confirm.getByText("Its traces and logs are deleted.")).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(confirm).toBeHidden();

  await applications.act(FIRST_APPLICATION, "Delete…");
  await confirm.getByRole("button", { name: "Delete application" }).click();
  await expect(applications.toast("Application deleted")).toBeVisible();
  await expect(page).toHaveURL(/\/projects\/my-project-prj_\w+\/applications$/);
  await expect(page.getByRole("heading", { name: "No applications" })).toBeVisible();
  expect((await sendTrace(latchkey.url, key, "/after")).status).toBe(401);
  await expect(application.heading("Applications")).toBeFocused();
});

test("an application is renamed on its own page, and its address with it", async ({ application, page }) => {
  const applications = new Applications(application);
  await applications.act(FIRST_APPLICATION, "Edit…");
  const dialog = applications.dialog(`Edit “${FIRST_APPLICATION}”`);
  await dialog.getByRole("textbox", { name: "Name" }).fill("Web checkout");
  await page.keyboard.press("Enter");
  await expect(application.heading("Web checkout")).toBeVisible();
  await expect(page).toHaveURL(/\/applications\/web-checkout-app_\w+$/);
  await expect(page.getByRole("navigation", { name: "Breadcrumb" })).toContainText("Web checkout");
  await expect(page.getByRole("button", { name: "Actions for Web checkout" }), "the focus is back at its opener").toBeFocused();
});

test("a viewer sees applications and nothing to do with them", async ({ members, colleague, elsewhere }) => {
  await members.join(colleague, elsewhere, "Viewer");
  await elsewhere.page.goto(`/projects/${members.projectId}/applications`);
  const theirs = new Applications(elsewhere);
  await expect(theirs.row(FIRST_APPLICATION)).toBeVisible();
  await expect(theirs.create).toBeHidden();
  await expect(elsewhere.page.getByRole("button", { name: /^Actions for/ })).toHaveCount(0);
  await theirs.row(FIRST_APPLICATION).getByRole("link").click();
  await expect(elsewhere.heading(FIRST_APPLICATION)).toBeVisible();
  await expect(elsewhere.page.getByText("You can view keys, not change them.")).toBeVisible();
  await expect(elsewhere.page.getByRole("button", { name: /^Actions for/ })).toHaveCount(0);
});

test("a deletion that fails says so and can be tried again", async ({ application, page, watch }) => {
  const applications = new Applications(application);
  await applications.open();
  watch.allowFailure(/^\/api\/applications\/delete/);
  await page.route(/\/api\/applications\/delete/, (route) => route.abort());
  await applications.act(FIRST_APPLICATION, "Delete…");
  await applications.confirm(FIRST_APPLICATION).getByRole("button", { name: "Delete application" }).click();
  const failure = page.getByRole("alert").filter({ hasText: "Couldn’t delete the application." });
  await expect(failure).toBeVisible();
  await page.unrouteAll();
  await failure.getByRole("button", { name: "Retry" }).click();
  await expect(page.getByRole("heading", { name: "No applications" })).toBeVisible();
});
