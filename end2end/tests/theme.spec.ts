// Light, dark or as the system has it; the choice is there before the first paint.
import { expect, test } from "../support/fixtures.ts";

test("the chosen theme survives a reload and is in the first HTML", async ({ application, page }) => {
  expect(await application.theme()).toBeNull();
  const light = await background();
  await application.themeButton.click();
  await expect.poll(() => application.theme()).toBe("dark");
  const dark = await background();
  expect(dark).not.toBe(light);
  const response = await page.reload();
  expect(await response?.text()).toMatch(/<html[^>]*\sdata-theme="?dark/);
  expect(await background()).toBe(dark);
  await expect(application.createKey).toBeEnabled();
  await application.themeButton.click();
  await expect.poll(() => application.theme()).toBe("light");

  async function background(): Promise<string> {
    return page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  }
});

test("without a choice the page follows the system", async ({ dashboard, page }) => {
  await page.goto("/login");
  const backgrounds = new Set<string>();
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    backgrounds.add(await page.evaluate(() => getComputedStyle(document.body).backgroundColor));
  }
  expect(backgrounds.size).toBe(2);
  expect(await dashboard.theme()).toBeNull();
});

test("the account menu goes back to the system's theme", async ({ application, page }) => {
  await application.openAccountMenu();
  await page.getByRole("menuitemradio", { name: "Dark" }).click();
  await expect.poll(() => application.theme()).toBe("dark");
  await page.reload();
  await expect(application.createKey).toBeEnabled();
  await application.openAccountMenu();
  await expect(page.getByRole("menuitemradio", { name: "Dark" })).toBeChecked();
  await page.getByRole("menuitemradio", { name: "Auto" }).click();
  await expect.poll(() => application.theme()).toBeNull();
});
