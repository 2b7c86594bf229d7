// Disabling a key and enabling it again: what is said before, what happens to calls, and where it shows.
import { call, sendTrace } from "../support/api.ts";
import { AuditLog } from "../support/audit-log.ts";
import { expect, test } from "../support/fixtures.ts";
import { ask, InferenceKeys } from "../support/inference-keys.ts";
import { tabTo } from "../support/keyboard.ts";

test("a disabled key is refused until it is enabled", async ({ apiKeys, page, latchkey }) => {
  const { dashboard, applicationId } = apiKeys;
  const secret = await apiKeys.create("Web checkout");
  const send = () => sendTrace(latchkey.url, secret, "/cart", 200, applicationId);
  expect((await send()).status).toBe(200);

  await dashboard.openAction("Web checkout", "Disable");
  const dialog = dashboard.disableDialog("Web checkout");
  await expect(dialog.getByRole("button", { name: "Cancel" })).toBeFocused();
  await expect(dialog).toContainText("Calls with this key are refused from now on, on every node.");
  await expect(dialog).toContainText("It still takes a slot of the plan.");
  await expect(dialog).toContainText("Enable it at any time.");
  await page.keyboard.press("Escape");
  await expect(dialog).toBeHidden();
  expect((await send()).status, "nothing happens before the button is pressed").toBe(200);

  await dashboard.disable("Web checkout");
  await expect(apiKeys.toast("Key disabled").first()).toBeVisible();
  const row = dashboard.keyRow("Web checkout");
  await expect(row).toContainText("Disabled");
  await expect(page.getByText("1 of 2 keys")).toBeVisible();
  const refused = await send();
  expect(refused.status).toBe(401);
  expect(refused.body).toMatchObject({ code: "disabled_key" });

  await dashboard.openAction("Web checkout", "Enable");
  await expect(apiKeys.toast("Key enabled").first()).toBeVisible();
  await expect(row).toContainText("Active");
  expect((await send()).status).toBe(200);

  const audit = new AuditLog(dashboard);
  await audit.open();
  for (const [code, label] of [["key.enabled", "Enabled key"], ["key.disabled", "Disabled key"]] as const) {
    await expect(audit.event(code)).toContainText(label);
    await expect(audit.event(code)).toContainText("Web checkout");
  }
  await expect(audit.event("key.changed")).toHaveCount(0);
  await audit.choose("Action", "Disabled key");
  await expect(audit.events).toHaveCount(1);
});

test("a key is disabled and enabled by keyboard alone", async ({ apiKeys, page }) => {
  const { dashboard } = apiKeys;
  await apiKeys.createElsewhere({ name: "Web checkout" });
  await apiKeys.open();
  await tabTo(page, page.getByRole("button", { name: "Disable Web checkout" }));
  await page.keyboard.press("Enter");
  await tabTo(page, dashboard.disableDialog("Web checkout").getByRole("button", { name: "Disable key" }));
  await page.keyboard.press("Enter");
  await expect(dashboard.keyRow("Web checkout")).toContainText("Disabled");
  await tabTo(page, page.getByRole("button", { name: "Enable Web checkout" }));
  await page.keyboard.press("Enter");
  await expect(dashboard.keyRow("Web checkout")).toContainText("Active");
});

test("a disabled key is edited and rotated, and stays disabled", async ({ apiKeys, latchkey }) => {
  const { dashboard, applicationId } = apiKeys;
  await apiKeys.create("Web checkout");
  await dashboard.disable("Web checkout");
  const row = dashboard.keyRow("Web checkout");
  await expect(row).toContainText("Disabled");
  await dashboard.openAction("Web checkout", "Edit");
  const edit = apiKeys.editDialog("Web checkout");
  await edit.advanced.click();
  await edit.rateLimit.fill("600");
  await edit.submit.click();
  await expect(row).toContainText("600 rpm");
  await expect(row).toContainText("Disabled");

  await dashboard.openAction("Web checkout", "Rotate");
  await expect(apiKeys.rotateDialog("Web checkout")).toContainText("The key is disabled and stays so");
  await apiKeys.page.keyboard.press("Escape");
  const secret = await apiKeys.rotate("Web checkout", "Stop now");
  await expect(row).toContainText("Disabled");
  const send = async () => (await sendTrace(latchkey.url, secret, "/cart", 200, applicationId)).status;
  expect(await send()).toBe(401);
  await dashboard.openAction("Web checkout", "Enable");
  await expect(row).toContainText("Active");
  expect(await send()).toBe(200);
});

test("the list is filtered by disabled keys", async ({ apiKeys, page }) => {
  const { dashboard } = apiKeys;
  await apiKeys.createElsewhere({ name: "Web checkout", disabled: true });
  await apiKeys.createElsewhere({ name: "Batch", environment: "test" });
  await apiKeys.open();
  await apiKeys.choose("Status", "Disabled");
  await expect(page).toHaveURL(/\/keys\?status=disabled$/);
  await expect(dashboard.keyRow("Batch")).toBeHidden();
  await expect(dashboard.keyRow("Web checkout")).toContainText("Disabled");
  await apiKeys.choose("Status", "Active");
  await expect(dashboard.keyRow("Batch")).toBeVisible();
  await expect(dashboard.keyRow("Web checkout")).toBeHidden();
});

test("a key is created disabled", async ({ apiKeys, latchkey }) => {
  const { createDialog, dashboard, applicationId } = apiKeys;
  await apiKeys.createKey.click();
  await createDialog.fill("Web checkout", "Live");
  await createDialog.attributes.click();
  await createDialog.createDisabled.check();
  await createDialog.attributes.click();
  await expect(createDialog.attributes).toContainText("disabled.");
  await createDialog.submit.click();
  const secret = await dashboard.createdDialog.secret();
  await expect(dashboard.createdDialog.root).toContainText("disabled until you enable it");
  await dashboard.createdDialog.finish();
  await expect(dashboard.keyRow("Web checkout")).toContainText("Disabled");
  expect((await sendTrace(latchkey.url, secret, "/cart", 200, applicationId)).status).toBe(401);
});

test("an inference key’s page says that it is disabled, and why calls are denied", async ({ application, page, latchkey }) => {
  const keys = new InferenceKeys(application);
  const secret = await keys.createElsewhere({ name: "Support assistant" });
  await keys.open();
  await keys.openKey("Support assistant");
  await application.disable("Support assistant");
  const enable = page.getByRole("button", { name: "Enable key" });
  await expect(page.getByRole("main").getByText("This key is disabled.")).toBeVisible();
  await expect(page.getByText("Disabled", { exact: true }).first()).toBeVisible();
  expect((await ask(latchkey.url, secret, "sandbox")).status).toBe(401);
  await keys.denials.getByRole("button", { name: /Disabled key/ }).click();
  await expect(keys.denials.first()).toContainText("This key is disabled. Enable it or use another key.");
  await expect(keys.denials.getByText("Not disabled")).toBeVisible();
  await keys.tryOut("sandbox", 1, "disabled_key");
  await expect(keys.why).toContainText("Support assistant is disabled. Enable it to let its calls through again.");
  await enable.click();
  // The button changes its name at once; the toast comes with the answer.
  await expect(page.getByText("Key enabled").first()).toBeVisible();
  await expect(enable).toBeHidden();
  expect((await ask(latchkey.url, secret, "sandbox")).status).toBe(200);
});

test("a denial for a missing scope says what to do", async ({ apiKeys, page, latchkey }) => {
  const { dashboard } = apiKeys;
  const secret = await apiKeys.createElsewhere({ name: "Web checkout", scopes: ["orders:read"] });
  const headers = { authorization: `Bearer ${await dashboard.token()}` };
  const body = { key: secret, scopes: ["orders:write"] };
  const verified = await call(`${latchkey.url}/v1/keys/verify`, "POST", headers, body);
  expect(verified.body).toMatchObject({ valid: false, code: "insufficient_scope" });
  await page.goto(`/projects/${dashboard.projectId}/usage`);
  const denials = page.getByRole("region", { name: "Denials" });
  await denials.getByRole("button", { name: /Missing scope/ }).click();
  await expect(denials).toContainText("Grant the key the scope under Attributes");
});

test("a key that can’t be disabled says so and comes with another try", async ({ apiKeys, page, watch }) => {
  const { dashboard } = apiKeys;
  await apiKeys.create("Web checkout");
  watch.allowStatus(500, /^\/api\//);
  const problem = { type: "about:blank", title: "Internal Server Error", status: 500, code: "internal", detail: "It failed.", request_id: "req_test" };
  await page.route(/\/api\/keys\/change/, (route) => route.fulfill({ status: 500, json: problem }));
  await dashboard.disable("Web checkout");
  const failure = page.getByRole("alert").filter({ hasText: "Couldn’t disable the key." });
  await expect(failure).toBeVisible();
  await expect(dashboard.keyRow("Web checkout")).toContainText("Active");
  await page.unrouteAll();
  await failure.getByRole("button", { name: "Retry" }).click();
  await expect(dashboard.keyRow("Web checkout")).toContainText("Disabled");
});
