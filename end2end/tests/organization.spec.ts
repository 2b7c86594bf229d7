// The settings of an organization: its name, and its deletion.
import { sendTrace } from "../support/api.ts";
import { expect, test } from "../support/fixtures.ts";
import { openSettings } from "../support/members.ts";
import { tabTo } from "../support/keyboard.ts";

test("an organization is renamed, and the frame says so at once", async ({ application, page }) => {
  await openSettings(application, application.projectId, "organization");
  const name = page.getByRole("textbox", { name: "Organization name" });
  const rename = page.getByRole("button", { name: "Rename" });
  await expect(rename, "nothing to save yet").toBeDisabled();
  await name.fill("");
  await rename.click();
  await expect(page.getByText("Enter a name.")).toBeVisible();
  await expect(name).toBeFocused();
  await name.fill("  Fernside & Söhne  ");
  await name.press("Enter");
  await expect(page.getByRole("status").filter({ hasText: "Organization renamed" })).toBeVisible();
  await expect(page.getByRole("button", { name: /^Project / }).first()).toContainText("Fernside & Söhne");
  await expect(page.getByRole("navigation", { name: "Breadcrumb" }).getByRole("listitem")).toHaveText([
    "Fernside & Söhne",
    "Settings",
    "Organization",
  ]);
  await page.reload();
  await expect(name).toHaveValue("Fernside & Söhne");
  await expect(page).toHaveTitle("Organization · Fernside & Söhne · Latchkey");
});

test("an organization is deleted with all that is in it, its keys first", async ({ apiKeys, page, latchkey, watch }) => {
  const { dashboard, applicationId } = apiKeys;
  const secret = await apiKeys.create("Web checkout");
  const projectId = dashboard.projectId;
  expect((await sendTrace(latchkey.url, secret, "/cart", 200, applicationId)).status).toBe(200);
  await openSettings(dashboard, projectId, "organization");
  const open = page.getByRole("button", { name: "Delete organization…" });
  await tabTo(page, open);
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("alertdialog", { name: /^Delete / });
  await expect(dialog.getByRole("button", { name: "Cancel" })).toBeFocused();
  await expect(dialog).toContainText("1 project is deleted, with its applications.");
  await expect(dialog).toContainText("1 active key is revoked at once, and all service keys.");
  await expect(dialog).toContainText("Nobody can restore it. Its history stays in the audit log.");
  const confirm = dialog.getByRole("button", { name: "Delete organization" });
  const typed = dialog.getByRole("textbox", { name: "Type the organization’s name to delete it" });
  await expect(confirm).toBeDisabled();
  const name = await page.getByRole("textbox", { name: "Organization name", includeHidden: true }).inputValue();
  await typed.fill(`${name}x`);
  await expect(confirm).toBeDisabled();
  await typed.fill(name);
  await typed.press("Enter");
  await expect(dialog, "Enter alone deletes nothing").toBeVisible();
  watch.allowStatus(404, /^\/api\//);
  await confirm.click();
  await expect(page.getByRole("status").filter({ hasText: "Organization deleted" })).toBeVisible();
  await expect(page).toHaveURL(`${latchkey.url}/`);
  await expect(page.getByRole("heading", { name: "No projects" })).toBeVisible();
  expect((await sendTrace(latchkey.url, secret, "/cart", 200, applicationId)).status).toBe(401);
  await page.goto(`/projects/${projectId}/settings/organization`);
  await expect(page.getByText("This page doesn’t exist, or you don’t have access to it.")).toBeVisible();
});

test("after one organization is deleted, the next one opens", async ({ members, colleague, elsewhere, watch }) => {
  const theirs = await members.join(colleague, elsewhere, "Owner");
  await openSettings(elsewhere, members.projectId, "organization");
  const { page } = theirs;
  const name = await page.getByRole("textbox", { name: "Organization name" }).inputValue();
  await page.getByRole("button", { name: "Delete organization…" }).click();
  const dialog = page.getByRole("alertdialog", { name: `Delete ${name}?` });
  await dialog.getByRole("textbox").fill(name);
  watch.allowStatus(404, /^\/api\//);
  await dialog.getByRole("button", { name: "Delete organization" }).click();
  await expect(elsewhere.heading("Applications")).toBeVisible();
  expect(elsewhere.projectId).not.toBe(members.projectId);
  // Whoever else had it open has lost it too.
  await expect(members.page.getByText("This page doesn’t exist, or you don’t have access to it.")).toBeVisible();
});

test("an admin renames and can't delete; a member can do neither", async ({ members, colleague, elsewhere }) => {
  await members.join(colleague, elsewhere, "Admin");
  const { page } = elsewhere;
  await openSettings(elsewhere, members.projectId, "organization");
  await expect(page.getByText("Only an owner can delete it.")).toBeVisible();
  await expect(page.getByRole("button", { name: "Delete organization…" })).toHaveCount(0);
  await expect(page.getByRole("textbox", { name: "Organization name" })).toBeVisible();
  await members.give("Member", colleague);
  await expect(members.toast(`${colleague.name} is now a member`)).toBeVisible();
  await page.reload();
  await expect(page.getByText("An owner or admin can change it.")).toBeVisible();
  await expect(page.getByRole("textbox")).toHaveCount(0);
});

test("the pages of the settings can be reached at every width", async ({ members, page }) => {
  const pages = ["Members", "Organization", "Plan", "Project", "Service keys"];
  const sidebar = page.getByRole("navigation", { name: "Project" });
  for (const name of pages) await expect(sidebar.getByRole("link", { name, exact: true })).toBeVisible();
  await expect(sidebar.getByRole("link", { name: "Members" })).toHaveAttribute("aria-current", "page");
  await sidebar.getByRole("link", { name: "Organization" }).click();
  await expect(members.dashboard.heading("Organization")).toBeFocused();
  await expect(sidebar.getByRole("link", { name: "Organization" })).toHaveAttribute("aria-current", "page");
  await sidebar.getByRole("link", { name: "API keys" }).click();
  await expect(sidebar.getByRole("link", { name: "Members" })).toHaveCount(0);
  await sidebar.getByRole("link", { name: "Settings" }).click();
  await expect(members.dashboard.heading("Members")).toBeFocused();

  await page.setViewportSize({ width: 1100, height: 800 });
  const bar = page.getByRole("navigation", { name: "Settings" });
  for (const name of pages) await expect(bar.getByRole("link", { name, exact: true })).toBeVisible();
  await bar.getByRole("link", { name: "Plan" }).click();
  await expect(members.dashboard.heading("Plan")).toBeVisible();

  await page.setViewportSize({ width: 390, height: 844 });
  await page.getByRole("button", { name: "Open navigation" }).click();
  const drawer = page.getByRole("dialog", { name: "Navigation" });
  for (const name of pages) await expect(drawer.getByRole("link", { name, exact: true })).toBeVisible();
  await drawer.getByRole("link", { name: "Service keys" }).click();
  await expect(members.dashboard.heading("Service keys")).toBeVisible();
  await expect(drawer).toBeHidden();
});

test("settings that can't be loaded are told of, and tried again", async ({ application, page, watch }) => {
  watch.allowStatus(500, /^\/api\/me$/);
  const problem = { type: "about:blank", title: "Internal Server Error", status: 500, code: "internal", detail: "It failed.", request_id: "req_test" };
  await page.route(/\/api\/me$/, (route) => route.fulfill({ status: 500, json: problem }));
  await openSettings(application, application.projectId, "organization");
  await expect(page.getByRole("heading", { name: "Couldn’t load the organization" })).toBeVisible();
  await expect(page.getByText("req_test")).toBeVisible();
  await page.unrouteAll();
  await page.getByRole("button", { name: "Try again" }).click();
  await expect(page.getByRole("textbox", { name: "Organization name" })).toBeVisible();
});

test("the settings' lists are grey until they are there", async ({ members, page }) => {
  const lists = { members: /\/api\/members\/list/, "service-keys": /\/api\/project-keys\/list/ } as const;
  for (const [which, calls] of Object.entries(lists)) {
    let answer = () => {};
    const held = new Promise<void>((resolve) => (answer = resolve));
    await page.route(calls, async (route) => {
      await held;
      await route.continue();
    });
    await openSettings(members.dashboard, members.projectId, which as keyof typeof lists);
    const grey = page.locator("main [aria-busy=true]");
    await expect(grey.locator(".skeleton").first()).toBeVisible();
    answer();
    await expect(grey).toHaveCount(0);
    await page.unrouteAll({ behavior: "wait" });
  }
});
