// Keys with which programs manage a project: made and changed by admins, read by all.
import { ServiceKeys } from "../support/api-keys.ts";
import { call } from "../support/api.ts";
import { CreatedDialog } from "../support/dashboard.ts";
import { expect, test } from "../support/fixtures.ts";
import { tabTo } from "../support/keyboard.ts";

test("a service key does what it is allowed to, and no more", async ({ apiKeys, page, latchkey }) => {
  const { dashboard } = apiKeys;
  const checked = await apiKeys.create("Web checkout");
  const keys = new ServiceKeys(dashboard);
  await keys.open();
  await expect(page.getByRole("heading", { name: "No service keys" })).toBeVisible();
  await keys.createKey.click();
  await expect(keys.dialog.getByRole("textbox", { name: "Name" })).toBeFocused();
  await keys.submit.click();
  await expect(keys.dialog.getByText("Enter a name.")).toBeVisible();
  await expect(keys.dialog.getByText("Choose at least one permission.")).toBeVisible();
  await keys.dialog.getByRole("button", { name: "Advanced" }).click();
  await expect(keys.dialog.getByRole("textbox", { name: "Rate limit" })).toBeVisible();
  await expect(keys.dialog.getByRole("button", { name: "Add budget" })).toHaveCount(0);
  await keys.dialog.getByRole("textbox", { name: "Name" }).fill("Billing backend");
  await keys.permission("keys:verify").check();
  await expect(keys.dialog.getByText("Choose at least one permission.")).toBeHidden();
  await keys.permission("usage:read").check();
  await keys.submit.click();

  const { createdDialog } = dashboard;
  const secret = await createdDialog.secret();
  await expect(createdDialog.root).toContainText("for keys:verify, usage:read, never expires");
  for (const language of ["curl", "Express", "Go", "Python"]) {
    await createdDialog.root.getByRole("tab", { name: language }).click();
    const code = createdDialog.root.getByRole("tabpanel");
    await expect(code).toContainText(`${latchkey.url}/v1/keys/verify`);
    await expect(code).not.toContainText(secret);
  }
  await createdDialog.finish();
  await expect(keys.row("Billing backend")).toContainText("keys:verify");
  await expect(keys.row("Billing backend")).toContainText("usage:read");
  await expect(keys.row("Billing backend")).toContainText("Active");

  const headers = { authorization: `Bearer ${secret}` };
  const verified = await call(`${latchkey.url}/v1/keys/verify`, "POST", headers, { key: checked });
  expect(verified.body).toMatchObject({ valid: true, name: "Web checkout" });
  const path = `${latchkey.url}/v1/projects/${dashboard.projectId}/keys`;
  expect((await call(path, "POST", headers, { name: "Another" })).status).toBe(403);
  await expect(keys.row("Billing backend")).toContainText("just now");
  // It is counted and listed nowhere else.
  await apiKeys.open();
  await expect(page.getByText("1 of 2 keys")).toBeVisible();
  await expect(dashboard.keyRow("Billing backend")).toHaveCount(0);
});

test("a service key is rotated, revoked and archived with the dialogs that all keys have", async ({ application, page, latchkey }) => {
  const keys = new ServiceKeys(application);
  await keys.open();
  const first = await keys.create("Billing backend", ["keys:read"]);
  await application.openAction("Billing backend", "Rotate");
  const rotate = page.getByRole("dialog", { name: "Rotate “Billing backend”" });
  await expect(rotate).toContainText("Service key");
  await rotate.getByRole("radio", { name: "Stop now" }).click();
  await rotate.getByRole("button", { name: "Rotate key" }).click();
  const newSecretDialog = new CreatedDialog(page.getByRole("dialog", { name: "Copy your new secret now" }));
  const second = await newSecretDialog.secret();
  await newSecretDialog.finish();
  const path = `${latchkey.url}/v1/projects/${application.projectId}/keys`;
  const list = async (secret: string) => (await call(path, "GET", { authorization: `Bearer ${secret}` })).status;
  expect(await list(first)).toBe(401);
  expect(await list(second)).toBe(200);

  await application.openAction("Billing backend", "Revoke");
  await expect(application.revokeDialog("Billing backend")).not.toContainText("Frees one key slot");
  await application.revokeDialog("Billing backend").getByRole("button", { name: "Revoke key" }).click();
  await expect(keys.row("Billing backend")).toContainText("Revoked");
  expect(await list(second)).toBe(401);
  await application.openAction("Billing backend", "Archive");
  await expect(keys.row("Billing backend")).toHaveCount(0);
  await page.getByRole("switch", { name: "Show archived" }).click();
  await expect(keys.row("Billing backend")).toContainText("Archived");
});

test("members see service keys and don't change them", async ({ members, colleague, elsewhere }) => {
  const own = new ServiceKeys(members.dashboard);
  await members.join(colleague, elsewhere, "Member");
  await own.open();
  await own.create("Billing backend", ["keys:read", "keys:write", "keys:verify", "usage:read"]);
  await elsewhere.page.goto(members.page.url());
  const theirs = new ServiceKeys(elsewhere);
  await expect(theirs.row("Billing backend")).toContainText("keys:write");
  await expect(elsewhere.page.getByText("You can view keys, not change them.")).toBeVisible();
  await expect(theirs.createKey).toHaveCount(0);
  await expect(theirs.row("Billing backend").getByRole("button")).toHaveCount(0);
  await elsewhere.page.locator("main").press("c");
  await expect(theirs.dialog).toBeHidden();
});

test("a service key is created by keyboard alone", async ({ application, page }) => {
  const keys = new ServiceKeys(application);
  await keys.open();
  await tabTo(page, keys.createKey);
  await page.keyboard.press("Enter");
  await expect(keys.dialog.getByRole("textbox", { name: "Name" })).toBeFocused();
  await page.keyboard.type("Nightly report");
  await page.keyboard.press("Enter");
  await expect(keys.permission("keys:read"), "what is missing has the focus").toBeFocused();
  await page.keyboard.press("Space");
  await tabTo(page, keys.submit);
  await page.keyboard.press("Enter");
  await application.createdDialog.secret();
  await tabTo(page, application.createdDialog.stored);
  await page.keyboard.press("Space");
  await page.keyboard.press("Escape");
  await expect(keys.row("Nightly report")).toContainText("keys:read");
});
