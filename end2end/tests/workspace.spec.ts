// Organizations and projects: switched between, made, and what somebody sees who has none.
import { expect, test } from "../support/fixtures.ts";
import { tabTo } from "../support/keyboard.ts";
import { Workspace } from "../support/workspace.ts";

test("a project is created from the switcher and opens on its API keys", async ({ application, person, page }) => {
  const workspace = new Workspace(application);
  await workspace.switcher.click();
  await expect(workspace.group(person.name ?? "").getByRole("menuitem")).toHaveText([/^My project\s*0\/2/, /New project/]);
  await workspace.item(`New project in ${person.name}…`).click();
  const dialog = workspace.projectDialog;
  await expect(dialog.name).toBeFocused();
  await expect(dialog.root.getByText(`in ${person.name}`)).toBeVisible();
  await expect(dialog.root.getByText("lk_live_…")).toBeVisible();
  await dialog.name.fill("Warehouse Feed");
  await dialog.prefix.fill("wf2");
  await expect(dialog.root.getByText("wf2_live_…")).toBeVisible();
  await dialog.submit.click();
  await expect(page).toHaveURL(/\/projects\/warehouse-feed-prj_\w+\/keys$/);
  await expect(workspace.toast("Project created")).toBeVisible();
  await expect(application.heading("API keys")).toBeFocused();
  await expect(page.getByRole("heading", { name: "Create your first key" })).toBeVisible();
  await page.getByRole("main").getByRole("button", { name: "Create key" }).click();
  await application.createDialog.name.fill("First");
  await application.createDialog.submit.click();
  await expect(application.createdDialog.root).toContainText(/wf2_live_[0-9A-Za-z]{38}/);
  await application.createdDialog.finish();

  // Both are there, and one leads to the other.
  await workspace.switcher.click();
  await expect(workspace.item(/^Warehouse Feed/)).toContainText("1/2");
  await workspace.item(/^My project/).click();
  await expect(page).toHaveURL(/\/projects\/my-project-prj_\w+\/applications$/);
  await expect(application.heading("Applications")).toBeFocused();
});

test("a name or a prefix that can't be is said at its field", async ({ application, person, page }) => {
  const workspace = new Workspace(application);
  await workspace.switcher.click();
  await workspace.item(`New project in ${person.name}…`).click();
  const { name, prefix, root, submit } = workspace.projectDialog;
  await prefix.fill("2Fast");
  await submit.click();
  await expect(root.getByText("Enter a name.")).toBeVisible();
  await expect(name).toBeFocused();
  await name.fill("Warehouse Feed");
  await submit.click();
  await expect(prefix).toBeFocused();
  await expect(prefix).toHaveAttribute("aria-invalid", "true");
  await expect(root.getByText("Use 2 to 16 lower-case letters and digits, starting with a letter.")).toBeVisible();
  // What is typed is not lost beside the dialog, but Escape closes it.
  await page.mouse.click(5, 5);
  await expect(root).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(root).toBeHidden();
  await expect(workspace.switcher).toBeFocused();
});

test("a new organization asks for its first project", async ({ application, person, page }) => {
  const workspace = new Workspace(application);
  await workspace.switcher.click();
  await workspace.item("New organization…").click();
  await workspace.organizationDialog.getByRole("button", { name: "Create organization" }).click();
  await expect(workspace.organizationDialog.getByText("Enter a name.")).toBeVisible();
  await workspace.organizationDialog.getByRole("textbox", { name: "Name" }).fill("Fernside");
  await page.keyboard.press("Enter");
  await expect(workspace.toast("Organization created")).toBeVisible();
  const dialog = workspace.projectDialog;
  await expect(dialog.name).toBeFocused();
  await expect(dialog.root.getByText("in Fernside")).toBeVisible();
  await dialog.name.fill("Storefront API");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/projects\/storefront-api-prj_\w+\/keys$/);
  await workspace.switcher.click();
  await expect(workspace.group("Fernside").getByRole("menuitem", { name: /^Storefront API/ })).toBeVisible();
  await expect(workspace.group(person.name ?? "").getByRole("menuitem", { name: /^My project/ })).toBeVisible();
});

test("a project is created by keyboard alone", async ({ application, person, page }) => {
  const workspace = new Workspace(application);
  await tabTo(page, workspace.switcher);
  await page.keyboard.press("Enter");
  await expect(workspace.item(/^My project/)).toBeFocused();
  await page.keyboard.press("ArrowDown");
  await expect(workspace.item(`New project in ${person.name}…`)).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(workspace.projectDialog.name).toBeFocused();
  await page.keyboard.type("By keyboard");
  await page.keyboard.press("Tab");
  await expect(workspace.projectDialog.prefix).toBeFocused();
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.type("kb");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/\/projects\/by-keyboard-prj_\w+\/keys$/);
  await expect(application.heading("API keys")).toBeFocused();
});

test("a project that can't be created says so and keeps what is filled in", async ({ application, person, page, watch }) => {
  const workspace = new Workspace(application);
  watch.allowFailure(/^\/api\/projects\/create/);
  await workspace.switcher.click();
  await workspace.item(`New project in ${person.name}…`).click();
  await workspace.projectDialog.name.fill("Warehouse Feed");
  await page.route(/\/api\/projects\/create/, (route) => route.abort());
  await workspace.projectDialog.submit.click();
  const callout = workspace.projectDialog.root.getByRole("alert");
  await expect(callout).toHaveText("Couldn’t create the project. Nothing was saved. Try again.");
  await expect(workspace.projectDialog.name).toHaveValue("Warehouse Feed");
  await page.unrouteAll();
  await workspace.projectDialog.submit.click();
  await expect(page).toHaveURL(/\/projects\/warehouse-feed-prj_\w+\/keys$/);
});

test("who may not make projects in an organization isn't offered to", async ({ members, colleague, elsewhere, person }) => {
  await members.join(colleague, elsewhere, "Member");
  const theirs = new Workspace(elsewhere);
  await theirs.switcher.click();
  await expect(theirs.group(person.name ?? "").getByRole("menuitem")).toHaveText([/^My project/]);
  await expect(theirs.group(colleague.name ?? "").getByRole("menuitem", { name: /^New project/ })).toBeVisible();
});

test("somebody without a project is helped to one", async ({ application, page }) => {
  const workspace = new Workspace(application);
  await workspace.deleteElsewhere();
  await page.goto("/");
  const main = page.getByRole("main");
  await expect(main.getByRole("heading", { name: "No projects" })).toBeVisible();
  await expect(main.getByRole("button", { name: "New organization" })).toBeVisible();
  await expect(workspace.switcher).toContainText("Choose a project");
  await main.getByRole("button", { name: "New project" }).click();
  await workspace.projectDialog.name.fill("Second try");
  await workspace.projectDialog.submit.click();
  await expect(page).toHaveURL(/\/projects\/second-try-prj_\w+\/keys$/);
});

test("somebody whom no organization lets make a project makes an organization", async ({ members, colleague, elsewhere }) => {
  // They leave their own organization to be a member of another one, which then loses its project.
  const theirs = await members.join(colleague, elsewhere, "Viewer");
  const { body } = await theirs.api("GET", "/v1/me");
  const own = (body as { organizations: { id: string; role: string }[] }).organizations.find((it) => it.role === "owner");
  expect((await theirs.api("DELETE", `/v1/organizations/${own?.id}`)).status).toBe(204);
  await new Workspace(members.dashboard).deleteElsewhere();
  await elsewhere.page.goto("/");
  const main = elsewhere.page.getByRole("main");
  await expect(main.getByText(/^You can’t create projects in any organization\./)).toBeVisible();
  await expect(main.getByRole("button", { name: "New project" })).toBeHidden();
  await main.getByRole("button", { name: "New organization" }).click();
  await expect(new Workspace(elsewhere).organizationDialog).toBeVisible();
});
