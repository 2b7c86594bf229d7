// The settings of a project: its name, its key prefix, and its deletion.
import { ApiKeys } from "../support/api-keys.ts";
import { sendTrace } from "../support/api.ts";
import { expect, test } from "../support/fixtures.ts";
import { Workspace } from "../support/workspace.ts";

test("a project is renamed, and its address with it", async ({ application, page }) => {
  const workspace = new Workspace(application);
  await workspace.openSettings();
  const name = page.getByRole("textbox", { name: "Name" });
  const save = page.getByRole("button", { name: "Save changes" });
  await expect(name).toHaveValue("My project");
  const id = page.getByRole("group", { name: "Project ID" });
  await expect(id).toContainText(application.projectId);
  await id.getByRole("button", { name: "Copy the project’s ID" }).click();
  await expect(id.getByRole("status")).toHaveText("Copied");
  await expect(save).toBeDisabled();
  await name.fill(" ");
  await save.click();
  await expect(page.getByText("Enter a name.")).toBeVisible();
  await name.fill("Storefront API");
  await name.press("Enter");
  await expect(workspace.toast("Project saved")).toBeVisible();
  await expect(page).toHaveURL(/\/projects\/storefront-api-prj_\w+\/settings\/project$/);
  await expect(workspace.switcher).toContainText("Storefront API");
  await expect(page).toHaveTitle("Project · Storefront API · Latchkey");
  await expect(name, "the new address moves no focus").toBeFocused();
  await expect(save).toBeDisabled();
});

test("a new prefix is for new keys alone", async ({ application, page }) => {
  const keys = new ApiKeys(application);
  await keys.open();
  await keys.create("Before");
  const workspace = new Workspace(application);
  await workspace.openSettings();
  const prefix = page.getByRole("textbox", { name: "Key prefix" });
  await expect(page.getByText("Only new keys start with it. Existing keys stay as they are.")).toBeVisible();
  await prefix.fill("Shop");
  await page.getByRole("button", { name: "Save changes" }).click();
  await expect(page.getByText("Use 2 to 16 lower-case letters and digits, starting with a letter.")).toBeVisible();
  await expect(prefix).toBeFocused();
  await prefix.fill("shop");
  await page.getByRole("button", { name: "Save changes" }).click();
  await expect(workspace.toast("Project saved")).toBeVisible();
  await keys.open();
  expect(await keys.createElsewhere({ name: "After" })).toMatch(/^shop_live_/);
  await expect(application.keyRow("Before")).toContainText("lk_live_");
  await expect(application.keyRow("After")).toContainText("shop_live_");
});

test("deleting a project says what goes with it and wants its name", async ({ application, page, latchkey, watch }) => {
  const key = await application.create("Web checkout");
  expect((await sendTrace(latchkey.url, key, "/before")).status).toBe(200);
  const old = page.url();
  const workspace = new Workspace(application);
  await workspace.openSettings();
  await workspace.deleteProject.click();
  const confirm = workspace.confirm("My project");
  await expect(confirm.getByRole("button", { name: "Cancel" })).toBeFocused();
  await expect(confirm.getByText("1 application is deleted, with its traces and logs.")).toBeVisible();
  await expect(confirm.getByText("1 active key is revoked at once, and all service keys.")).toBeVisible();
  const deed = confirm.getByRole("button", { name: "Delete project" });
  await expect(deed).toBeDisabled();
  const typed = confirm.getByRole("textbox", { name: "Type the project’s name to delete it" });
  await typed.fill("My Project");
  await expect(deed).toBeDisabled();
  await typed.fill("My project");
  await typed.press("Enter");
  await expect(confirm, "Enter deletes nothing").toBeVisible();
  await deed.click();
  await expect(workspace.toast("Project deleted")).toBeVisible();
  await expect(page).toHaveURL(`${latchkey.url}/`);
  await expect(page.getByRole("heading", { name: "No projects" })).toBeVisible();
  expect((await sendTrace(latchkey.url, key, "/after")).status).toBe(401);
  watch.allowStatus(404, /^\/api\//);
  await page.goto(old);
  await expect(page.getByText("This page doesn’t exist, or you don’t have access to it.")).toBeVisible();
});

test("who may not change a project sees how it is and who can", async ({ members, colleague, elsewhere }) => {
  await members.join(colleague, elsewhere, "Member");
  await elsewhere.page.goto(`/projects/${members.projectId}/settings/project`);
  const main = elsewhere.page.getByRole("main");
  await expect(main.getByText("An owner or admin can change name and prefix.")).toBeVisible();
  await expect(main.getByText("Only an owner or admin can delete it.")).toBeVisible();
  await expect(main.getByRole("textbox")).toHaveCount(0);
  await expect(main.getByRole("group", { name: "Project ID" })).toContainText(members.projectId);
  await expect(main.getByRole("button"), "only the ID’s own").toHaveCount(1);
});
