// Rotation: a new secret for the same key, and how long the old one goes on working.
import { sendTrace } from "../support/api.ts";
import { expect, test } from "../support/fixtures.ts";
import { everythingKept } from "../support/recorder.ts";

test("both secrets work during the grace, until it is ended", async ({ apiKeys, page, latchkey }) => {
  const { dashboard, applicationId } = apiKeys;
  const works = async (secret: string) =>
    (await sendTrace(latchkey.url, secret, "/cart", 200, applicationId)).status;
  const old = await apiKeys.create("Web checkout");
  await dashboard.openAction("Web checkout", "Rotate");
  const dialog = apiKeys.rotateDialog("Web checkout");
  await expect(dialog.getByRole("radio", { name: "24 hours" })).toBeChecked();
  await expect(dialog.getByRole("radio", { name: "24 hours" })).toBeFocused();
  await expect(dialog.getByText(/^Both secrets work until \w+ \d+, \d{4} at \d\d:\d\d UTC\. After that, the current secret gets 401\./)).toBeVisible();
  await dialog.getByRole("button", { name: "Rotate key" }).click();
  const secret = await apiKeys.newSecretDialog.secret();
  expect(secret).not.toBe(old);
  await apiKeys.newSecretDialog.finish();
  expect(await everythingKept(page)).not.toContain(secret);

  const row = dashboard.keyRow("Web checkout");
  await expect(row).toContainText("Rotating");
  await expect(row).toContainText(/Old secret works until \w+ \d+, \d\d:\d\d UTC/);
  await expect(row).toContainText("old secret not used");
  await expect(row).toContainText(secret.slice(-4));
  await expect(page.getByText("1 of 2 keys")).toBeVisible();
  expect([await works(old), await works(secret)]).toEqual([200, 200]);
  await expect(row).toContainText("old secret just now");

  await dashboard.openAction("Web checkout", "Rotate");
  await expect(dialog.getByText("Rotating. The old secret works for 23 more hours.")).toBeVisible();
  await dialog.getByRole("button", { name: "End now" }).click();
  await expect(apiKeys.toast("Old secret ended")).toBeVisible();
  await dialog.getByRole("button", { name: "Cancel" }).click();
  await expect(row).toContainText("Active");
  expect([await works(old), await works(secret)]).toEqual([401, 200]);
});

test("a secret that is stopped now is refused at once", async ({ apiKeys, latchkey }) => {
  const { dashboard, applicationId } = apiKeys;
  const old = await apiKeys.create("Web checkout");
  await dashboard.openAction("Web checkout", "Rotate");
  const dialog = apiKeys.rotateDialog("Web checkout");
  await dialog.getByRole("radio", { name: "Stop now" }).click();
  await expect(dialog.getByText("The current secret gets 401 immediately. Only the new one works.")).toBeVisible();
  await dialog.getByRole("button", { name: "Rotate key" }).click();
  const secret = await apiKeys.newSecretDialog.secret();
  expect((await sendTrace(latchkey.url, old, "/cart", 200, applicationId)).status).toBe(401);
  expect((await sendTrace(latchkey.url, secret, "/cart", 200, applicationId)).status).toBe(200);
  await apiKeys.newSecretDialog.finish();
  await expect(dashboard.keyRow("Web checkout")).toContainText("Active");
});

test("who would revoke a key to replace it is led to the rotation", async ({ apiKeys }) => {
  const { dashboard } = apiKeys;
  await apiKeys.create("Web checkout");
  await dashboard.openAction("Web checkout", "Revoke");
  await dashboard.revokeDialog("Web checkout").getByRole("button", { name: "Rotate it instead" }).click();
  await expect(dashboard.revokeDialog("Web checkout")).toBeHidden();
  await expect(apiKeys.rotateDialog("Web checkout")).toBeVisible();
});

test("a key that another tab has revoked can't be rotated, and the dialog says why", async ({ apiKeys, page, watch }) => {
  watch.allowStatus(409, /^\/api\//);
  await apiKeys.create("Web checkout");
  await apiKeys.dashboard.openAction("Web checkout", "Rotate");
  const tab = await page.context().newPage();
  await tab.goto(page.url());
  await tab.getByRole("button", { name: "Revoke Web checkout" }).click();
  await tab.getByRole("button", { name: "Revoke key" }).click();
  await expect(tab.getByText("Key revoked")).toBeVisible();
  await tab.close();
  const dialog = apiKeys.rotateDialog("Web checkout");
  await dialog.getByRole("button", { name: "Rotate key" }).click();
  await expect(dialog.getByRole("alert")).toHaveText("A revoked key can’t be rotated. Create a new one.");
});
