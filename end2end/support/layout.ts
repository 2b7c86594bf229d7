// Where things are on the page.
import { expect, type Locator } from "@playwright/test";

/** Expects that nothing of an element is left or right of a box. */
export async function expectInside(element: Locator, box: Locator): Promise<void> {
  const [inner, outer] = [await element.boundingBox(), await box.boundingBox()];
  if (!inner || !outer) throw new Error(`${element} or ${box} is not on the page`);
  expect(inner.x, "left edge").toBeGreaterThanOrEqual(outer.x - 0.5);
  expect(inner.x + inner.width, "right edge").toBeLessThanOrEqual(outer.x + outer.width + 0.5);
}
