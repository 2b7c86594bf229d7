// What a person does who uses no pointer.
import type { Locator, Page } from "@playwright/test";

/** Presses Tab until the control has the focus, as a person would who looks for it. */
export async function tabTo(page: Page, control: Locator): Promise<void> {
  for (let presses = 0; presses < 60; presses++) {
    if (await control.evaluate((element) => element === document.activeElement)) return;
    await page.keyboard.press("Tab");
  }
  throw new Error(`60 times Tab did not reach ${control}`);
}
