// Every page and dialog, wide and narrow, light and dark: it fits, assistive technology can use it, and a
// screenshot of it is kept in end2end/screenshots.
import { join } from "node:path";
import { AxeBuilder } from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { attributeScreenshots } from "../support/attribute-screenshots.ts";
import { expect, test } from "../support/fixtures.ts";
import { importScreenshots } from "../support/import-screenshots.ts";
import { settingsScreenshots, type Stop, pageScreenshots } from "../support/screenshots.ts";
import { usageScreenshots } from "../support/usage-screenshots.ts";
import { workspaceScreenshots } from "../support/workspace-screenshots.ts";

const SCREENSHOTS = join(import.meta.dirname, "../screenshots");

interface Look {
  width: number;
  height: number;
  colorScheme: "light" | "dark";
}

const LOOKS: Look[] = [
  { width: 1440, height: 900, colorScheme: "light" },
  { width: 1440, height: 900, colorScheme: "dark" },
  { width: 900, height: 900, colorScheme: "light" },
  { width: 390, height: 844, colorScheme: "light" },
  { width: 390, height: 844, colorScheme: "dark" },
  { width: 320, height: 640, colorScheme: "light" },
];

/** Each round of screenshots takes its time. The first takes all of them; these cover every width and both themes. */
const SETTINGS_LOOKS = ["1440-light", "900-light", "390-dark", "320-light"];
const WORKSPACE_LOOKS = ["1440-dark", "900-light", "390-light", "320-light"];
const USAGE_LOOKS = ["1440-light", "390-dark", "320-light"];
const IMPORT_LOOKS = ["1440-light", "1440-dark", "390-light", "390-dark"];
const ATTRIBUTE_LOOKS = ["1440-light", "1440-dark", "390-light", "390-dark"];

for (const { width, height, colorScheme } of LOOKS) {
  const look = `${width}-${colorScheme}`;
  const phone = width < 768;

  test.describe(look, () => {
    test.use({ viewport: { width, height }, hasTouch: phone, colorScheme, contextOptions: { reducedMotion: "reduce" } });

    const inspect = (page: Page): Stop => async (stop, secret) => {
      await page.screenshot({
        path: join(SCREENSHOTS, `${stop}-${look}.png`),
        animations: "disabled",
        ...(secret ? { mask: [page.getByText(secret)], maskColor: "#888888" } : {}),
      });
      expect.soft(await sidewaysScroll(page), `${stop} scrolls sideways by`).toBe(0);
      expect.soft(await cutOff(page), `controls of ${stop} that are cut off`).toEqual([]);
      expect.soft(await violationsOn(page), `what axe finds on ${stop}`).toEqual([]);
      if (phone) expect.soft(await notSheets(page), `dialogs of ${stop} that are no sheets`).toEqual([]);
    };

    test(`every page fits and is accessible at ${look}`, async ({ dashboard, person, page, watch }) => {
      test.setTimeout(180_000);
      watch.allowStatus(401, /^\/(refresh$|api\/)/);
      await pageScreenshots(dashboard, person.login, inspect(page));
    });

    if (SETTINGS_LOOKS.includes(look)) {
      test(`the settings fit and are accessible at ${look}`, async ({ application, person, colleague, elsewhere, page, watch }) => {
        test.setTimeout(180_000);
        watch.allowStatus(401, /^\/(refresh$|api\/)/);
        await settingsScreenshots(application, { person, colleague, elsewhere }, inspect(page));
      });
    }

    if (WORKSPACE_LOOKS.includes(look)) {
      test(`projects, applications and the audit log fit and are accessible at ${look}`, async ({
        application,
        person,
        colleague,
        elsewhere,
        page,
      }) => {
        test.setTimeout(180_000);
        await workspaceScreenshots(application, { person, colleague, elsewhere }, inspect(page));
      });
    }

    if (ATTRIBUTE_LOOKS.includes(look)) {
      test(`attributes and disabled keys fit and are accessible at ${look}`, async ({ application, page }) => {
        test.setTimeout(180_000);
        await attributeScreenshots(application, inspect(page));
      });
    }

    if (IMPORT_LOOKS.includes(look)) {
      test(`an import and imported keys fit and are accessible at ${look}`, async ({ application, page, watch }) => {
        test.setTimeout(180_000);
        watch.allowStatus(422, /\/keys\/import\?/);
        await importScreenshots(application, inspect(page));
      });
    }

    if (USAGE_LOOKS.includes(look)) {
      test(`inference keys and usage fit and are accessible at ${look}`, async ({ application, page }) => {
        test.setTimeout(180_000);
        await usageScreenshots(application, inspect(page));
      });
    }
  });
}

/** By how many pixels the page is wider than the window. */
async function sidewaysScroll(page: Page): Promise<number> {
  return page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    return Math.max(scrollWidth, document.body.scrollWidth) - clientWidth;
  });
}

/** Our pages have no frames, so axe needs no second page in which to put the results of several together. */
async function violationsOn(page: Page): Promise<string[]> {
  const axe = new AxeBuilder({ page }).setLegacyMode().options({ resultTypes: ["violations"] });
  const { violations } = await axe.analyze();
  return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html} (${node.failureSummary})`));
}

/** The controls that reach out of a box which neither shows the rest of them nor can be scrolled to it. */
async function cutOff(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const isCutBy = (control: Element, box: Element) => {
      const [inner, outer] = [control.getBoundingClientRect(), box.getBoundingClientRect()];
      return inner.width > 0 && (inner.left < outer.left - 1 || inner.right > outer.right + 1);
    };
    const isCut = (control: Element) => {
      for (let box = control.parentElement; box; box = box.parentElement) {
        const { overflowX } = getComputedStyle(box);
        if (overflowX === "auto" || overflowX === "scroll") return false;
        if (overflowX !== "visible" && isCutBy(control, box)) return true;
        // What is in the top layer is cut by nothing around it.
        if (box.matches(":popover-open")) return false;
      }
      return false;
    };
    return [...document.querySelectorAll("button, a[href], input")].filter(isCut).map((control) => control.outerHTML);
  });
}

/** Dialogs fill a phone's screen. */
async function notSheets(page: Page): Promise<string[]> {
  return page.evaluate(() =>
    [...document.querySelectorAll("dialog[open]")]
      .map((dialog) => dialog.getBoundingClientRect())
      .filter((box) => box.width !== innerWidth || box.height < innerHeight - 1)
      .map((box) => `${box.width} × ${box.height}`),
  );
}
