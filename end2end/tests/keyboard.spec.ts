// Everything can be done without a pointer, and the focus is always where a person expects it.
import { expect, test } from "../support/fixtures.ts";
import { tabTo } from "../support/keyboard.ts";

test("a key is created and revoked by keyboard alone", async ({ application, page }) => {
  const { createKey, createDialog, createdDialog } = application;
  await tabTo(page, createKey);
  await page.keyboard.press("Enter");
  await expect(createDialog.name).toBeFocused();
  await page.keyboard.type("By keyboard");
  await tabTo(page, createDialog.environment("Live"));
  await page.keyboard.press("ArrowRight");
  await expect(createDialog.environment("Test")).toBeChecked();
  await expect(createDialog.environment("Test")).toBeFocused();
  await tabTo(page, createDialog.name);
  await page.keyboard.press("Enter");
  expect(await createdDialog.secret()).toMatch(/^lk_test_/);
  await tabTo(page, createdDialog.stored);
  await page.keyboard.press("Space");
  await tabTo(page, createdDialog.done);
  await page.keyboard.press("Enter");
  await expect(createdDialog.root).toBeHidden();

  const row = application.keyRow("By keyboard");
  await expect(row).toContainText("Active");
  await tabTo(page, application.revokeButton("By keyboard"));
  await page.keyboard.press("Enter");
  const dialog = application.revokeDialog("By keyboard");
  await expect(dialog.getByRole("button", { name: "Cancel" })).toBeFocused();
  await tabTo(page, dialog.getByRole("button", { name: "Revoke key" }));
  await page.keyboard.press("Enter");
  await expect(row).toContainText("Revoked");
  // The opener is gone: the focus is on the page's heading, not lost.
  await expect(page.locator(":focus")).not.toHaveCount(0);
});

test("a key for one application is created, rotated and archived by keyboard alone", async ({ apiKeys, page }) => {
  const { dashboard, createDialog, newSecretDialog } = apiKeys;
  await expect(apiKeys.firstKey).toBeVisible();
  await tabTo(page, apiKeys.createKey);
  await page.keyboard.press("Enter");
  await expect(createDialog.name).toBeFocused();
  await page.keyboard.type("By keyboard");
  const application = createDialog.root.getByRole("combobox", { name: "Application" });
  await tabTo(page, application);
  await page.keyboard.press("ArrowDown");
  await expect(application).toHaveAttribute("aria-expanded", "true");
  await page.keyboard.press("Escape");
  await expect(createDialog.root, "Escape closes the list alone").toBeVisible();
  await page.keyboard.type("my");
  await page.keyboard.press("Enter");
  await expect(application).toHaveText("My application");
  await tabTo(page, createDialog.expiry("Never"));
  await page.keyboard.press("ArrowRight");
  await expect(createDialog.expiry("30 days")).toBeChecked();
  await tabTo(page, createDialog.advanced);
  await page.keyboard.press("Enter");
  await tabTo(page, createDialog.rateLimit);
  await page.keyboard.type("60");
  await page.keyboard.press("Enter");
  await dashboard.createdDialog.secret();
  await tabTo(page, dashboard.createdDialog.stored);
  await page.keyboard.press("Space");
  await page.keyboard.press("Escape");
  await expect(dashboard.keyRow("By keyboard")).toContainText("60 rpm");

  const rotate = page.getByRole("button", { name: "Rotate By keyboard" });
  await tabTo(page, rotate);
  await page.keyboard.press("Enter");
  const dialog = apiKeys.rotateDialog("By keyboard");
  await expect(dialog.getByRole("radio", { name: "24 hours" })).toBeFocused();
  await page.keyboard.press("ArrowLeft");
  await expect(dialog.getByRole("radio", { name: "1 hour" })).toBeChecked();
  await tabTo(page, dialog.getByRole("button", { name: "Rotate key" }));
  await page.keyboard.press("Enter");
  await newSecretDialog.secret();
  await tabTo(page, newSecretDialog.stored);
  await page.keyboard.press("Space");
  await tabTo(page, newSecretDialog.done);
  await page.keyboard.press("Enter");
  await expect(dashboard.keyRow("By keyboard")).toContainText("Rotating");
  await expect(rotate, "the focus is back at its opener").toBeFocused();

  await tabTo(page, dashboard.revokeButton("By keyboard"));
  await page.keyboard.press("Enter");
  await tabTo(page, dashboard.revokeDialog("By keyboard").getByRole("button", { name: "Revoke key" }));
  await page.keyboard.press("Enter");
  const archive = page.getByRole("button", { name: "Archive By keyboard" });
  await tabTo(page, archive);
  await page.keyboard.press("Enter");
  await expect(apiKeys.toast("Archived “By keyboard”")).toBeVisible();
});

test("shortcuts search and create, but not while a person types, and they can be turned off", async ({ apiKeys, page }) => {
  const { dashboard, createDialog } = apiKeys;
  await apiKeys.create("Web checkout");
  await page.locator("body").press("/");
  await expect(apiKeys.search).toBeFocused();
  await page.keyboard.type("c/");
  await expect(apiKeys.search).toHaveValue("c/");
  await expect(createDialog.root).toBeHidden();
  await apiKeys.search.fill("");
  await apiKeys.search.blur();
  await page.keyboard.press("c");
  await expect(createDialog.root).toBeVisible();
  await page.keyboard.press("Escape");
  await dashboard.openAccountMenu();
  const setting = page.getByRole("menuitemcheckbox", { name: "Keyboard shortcuts" });
  await expect(setting).toBeChecked();
  await setting.click();
  await expect(setting).not.toBeChecked();
  await page.keyboard.press("Escape");
  await page.locator("main").press("c");
  await page.locator("main").press("/");
  await expect(createDialog.root).toBeHidden();
  await expect(apiKeys.search).not.toBeFocused();
});

test("the focus stays inside a dialog and goes back to its opener", async ({ application, page }) => {
  await application.createKey.click();
  const { root } = application.createDialog;
  for (const key of ["Tab", "Shift+Tab"]) {
    for (let presses = 0; presses < 12; presses++) {
      await page.keyboard.press(key);
      expect(await root.evaluate((dialog) => dialog.contains(document.activeElement))).toBe(true);
    }
  }
  await page.keyboard.press("Escape");
  await expect(root).toBeHidden();
  await expect(application.createKey).toBeFocused();
});

test("the first stop is a link past the navigation", async ({ application, page }) => {
  await page.reload();
  await expect(application.createKey).toBeEnabled();
  await page.locator("body").press("Tab");
  const skip = page.locator(":focus");
  await expect(skip).toHaveText(/skip to/i);
  await expect(skip).toBeInViewport();
  await page.keyboard.press("Enter");
  expect(await page.evaluate(() => document.activeElement?.closest("main") !== null)).toBe(true);
});

test("tabs of telemetry and of programs are moved through with arrows", async ({ application, page }) => {
  await application.tab("Traces").focus();
  await page.keyboard.press("ArrowRight");
  await expect(application.tab("Logs")).toBeFocused();
  await expect(application.tab("Logs")).toHaveAttribute("aria-selected", "true");
  await page.keyboard.press("ArrowRight");
  await expect(application.tab("Traces")).toBeFocused();
});

test("a new page puts the focus on its heading", async ({ application, page }) => {
  await page.getByRole("link", { name: "Applications" }).first().click();
  await expect(application.heading("Applications")).toBeFocused();
});
