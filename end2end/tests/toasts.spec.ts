// A message stays in sight and in reach whatever else is open.
import type { Locator } from "@playwright/test";
import type { Dashboard } from "../support/dashboard.ts";
import { expect, test } from "../support/fixtures.ts";
import { tabTo } from "../support/keyboard.ts";
import type { Watch } from "../support/watch.ts";

/** Makes the revocation of a key fail; the message about it stays. */
async function failToRevoke(application: Dashboard, watch: Watch, name: string): Promise<Locator> {
  const { page } = application;
  await application.create(name);
  watch.allowFailure(/\/api\/keys\/revoke/);
  await page.route(/\/api\/keys\/revoke/, (route) => route.abort("connectionrefused"));
  await application.revoke(name);
  await page.unroute(/\/api\/keys\/revoke/);
  const message = page.getByRole("alert").filter({ hasText: "Couldn’t revoke the key." });
  await expect(message).toHaveCount(1);
  return message;
}

/** Whether nothing covers the middle of the element. */
async function isOnTop(element: Locator): Promise<boolean> {
  return element.evaluate((node) => {
    const { left, top, width, height } = node.getBoundingClientRect();
    return node.contains(document.elementFromPoint(left + width / 2, top + height / 2));
  });
}

async function close(message: Locator): Promise<void> {
  await message.getByRole("button", { name: "Close message" }).click();
  await expect(message).toHaveCount(0);
}

test("a message stands above a dialog that is opened later, and can be closed there", async ({ application, watch }) => {
  const message = await failToRevoke(application, watch, "Web checkout");
  expect(await isOnTop(message)).toBe(true);
  await application.createKey.click();
  await expect(application.createDialog.name).toBeFocused();
  await expect(message).toHaveCount(1);
  expect(await isOnTop(message)).toBe(true);
  await close(message);
  await expect(application.createDialog.root).toBeVisible();
});

test("a message above a dialog is reached by keyboard, and stays when the dialog closes", async ({ application, page, watch }) => {
  const message = await failToRevoke(application, watch, "Web checkout");
  await application.createKey.click();
  await expect(application.createDialog.name).toBeFocused();
  await tabTo(page, message.getByRole("button", { name: "Close message" }));
  await page.keyboard.press("Escape");
  await expect(application.createDialog.root).toBeHidden();
  await expect(message).toHaveCount(1);
  await message.getByRole("button", { name: "Retry" }).click();
  await expect(application.keyRow("Web checkout")).toContainText("Revoked");
});

test("a message stands above a dialog on a dialog", async ({ application, page, watch }) => {
  const message = await failToRevoke(application, watch, "Web checkout");
  await application.createAndReveal("Nightly export");
  expect(await isOnTop(message)).toBe(true);
  await page.keyboard.press("Escape");
  await expect(application.closeCheck).toBeVisible();
  expect(await isOnTop(message)).toBe(true);
  await close(message);
  await expect(application.closeCheck).toBeVisible();
});

test.describe("on a phone", () => {
  test.use({ viewport: { width: 390, height: 844 }, hasTouch: true });

  test("a message stands above the navigation", async ({ application, page, watch }) => {
    const message = await failToRevoke(application, watch, "Web checkout");
    await page.getByRole("button", { name: "Open navigation" }).click();
    const navigation = page.getByRole("dialog", { name: "Navigation" });
    await expect(navigation).toBeVisible();
    expect(await isOnTop(message)).toBe(true);
    await close(message);
    await expect(navigation).toBeVisible();
  });
});
