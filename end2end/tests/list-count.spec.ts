// How many rows a list shows: the toolbar says a number only while the rows it counts are there.
import type { Page } from "@playwright/test";
import { AuditLog } from "../support/audit-log.ts";
import { expect, test } from "../support/fixtures.ts";
import { problem } from "../support/problem.ts";
import { sendTelemetry, Telemetry } from "../support/telemetry.ts";
import type { Watch } from "../support/watch.ts";

interface Held {
  /** When the page has asked for the rows. */
  asked: Promise<unknown>;
  /** Gives it an error in their place. */
  fail: () => void;
}

/** From now on the list waits for its rows. */
async function hold(page: Page, watch: Watch, list: string): Promise<Held> {
  watch.allowStatus(500, /^\/api\//);
  let fail = (): void => {};
  const failed = new Promise<void>((resolve) => (fail = resolve));
  const url = `**/api/${list}/list`;
  await page.route(url, async (route) => {
    await failed;
    await route.fulfill({ status: 500, json: problem });
  });
  return { asked: page.waitForRequest(url), fail };
}

/** Whether a list that its address narrows names no number before its rows are there. */
async function expectNoCountBeforeRows(page: Page, watch: Watch, list: string, failed: string, rows: string): Promise<void> {
  const count = page.getByRole("search").getByRole("status");
  await expect(count).toHaveText(rows);
  const { asked, fail } = await hold(page, watch, list);
  await page.reload();
  await asked;
  await expect(count, "while the first page loads").toHaveText("");
  fail();
  await expect(page.getByText(failed)).toBeVisible();
  await expect(count, "while the list could not be loaded").toHaveText("");
  await page.unrouteAll();
  await page.getByRole("button", { name: "Try again" }).click();
  await expect(count).toHaveText(rows);
}

/** Whether the number goes with the rows when the list is narrowed further and that fails. */
async function expectCountGoesWithRows(page: Page, watch: Watch, list: string, failed: string, narrow: () => Promise<void>): Promise<void> {
  const count = page.getByRole("search").getByRole("status");
  const { asked, fail } = await hold(page, watch, list);
  await narrow();
  await asked;
  await expect(count, "while the other rows load").toHaveText("");
  fail();
  await expect(page.getByText(failed)).toBeVisible();
  await expect(count, "while they could not be loaded").toHaveText("");
}

test("traces are counted only while they are shown", async ({ application, page, watch, latchkey }) => {
  await sendTelemetry(latchkey.url, await application.create("Shop"));
  await expect(application.telemetryRow("/health")).toBeVisible();
  const telemetry = new Telemetry(application);
  await telemetry.choose("Kind", "Server");
  await expectNoCountBeforeRows(page, watch, "traces", "Couldn’t load traces", "2 traces");
  const narrow = () => telemetry.choose("Status of the span", "Error");
  await expectCountGoesWithRows(page, watch, "traces", "Couldn’t load traces", narrow);
});

test("log lines are counted only while they are shown", async ({ application, page, watch, latchkey }) => {
  await sendTelemetry(latchkey.url, await application.create("Shop"));
  const telemetry = new Telemetry(application);
  await application.tab("Logs").click();
  await telemetry.choose("Level", "warning");
  await expectNoCountBeforeRows(page, watch, "logs", "Couldn’t load logs", "1 line");
  const narrow = () => telemetry.choose("Level", "debug");
  await expectCountGoesWithRows(page, watch, "logs", "Couldn’t load logs", narrow);
});

test("audit events are counted only while they are shown", async ({ application, page, watch }) => {
  const audit = new AuditLog(application);
  await audit.open("?action=organization.created");
  await expectNoCountBeforeRows(page, watch, "audit", "Couldn’t load the audit log", "1 event");
  const narrow = () => audit.choose("Action", "Created key");
  await expectCountGoesWithRows(page, watch, "audit", "Couldn’t load the audit log", narrow);
});

test("keys are counted only while they are shown", async ({ apiKeys, page, watch }) => {
  await apiKeys.create("Web checkout");
  await apiKeys.open("?q=web");
  await expectNoCountBeforeRows(page, watch, "project-keys", "Couldn’t load keys", "1 key");
  const narrow = () => apiKeys.search.fill("nightly");
  await expectCountGoesWithRows(page, watch, "project-keys", "Couldn’t load keys", narrow);
});
