// Tables with more columns than room: names give way, and the actions stay in sight.
import type { Locator } from "@playwright/test";
import { ServiceKeys } from "../support/api-keys.ts";
import type { Dashboard } from "../support/dashboard.ts";
import { expect, test } from "../support/fixtures.ts";
import { InferenceKeys } from "../support/inference-keys.ts";
import { expectInside } from "../support/layout.ts";
import { Workspace } from "../support/workspace.ts";

const LONG = "Batch summaries with a name as long as a name can ever be, 64 le";

const table = ({ page }: Dashboard, name: string) => page.getByRole("table", { name });

/** What opens the last action of a key: the last button of its row, on phones its menu. */
function lastAction(dashboard: Dashboard, name: string): Locator {
  const { page } = dashboard;
  if (!dashboard.isPhone) return dashboard.revokeButton(name);
  return page.getByRole("button", { name: `Actions for ${name}`, exact: true });
}

/** Expects the last action inside of the table's box at each width, on a page that does not scroll sideways. */
async function expectActionsInside(dashboard: Dashboard, list: string, name: string, widths = [1440, 1280, 390]): Promise<void> {
  const { page } = dashboard;
  for (const width of widths) {
    await page.setViewportSize({ width, height: 900 });
    const action = lastAction(dashboard, name);
    await expect(action).toBeVisible();
    // On phones the table has no box of its own: its rows are cards.
    const box = dashboard.isPhone ? dashboard.keyRow(name) : table(dashboard, list).locator("xpath=..");
    await expectInside(action, box);
    expect(await page.evaluate(() => document.documentElement.scrollWidth), `at ${width}`).toBeLessThanOrEqual(width);
  }
}

/** By how many pixels a table is wider than its box. */
async function overflow(dashboard: Dashboard, list: string): Promise<number> {
  return table(dashboard, list)
    .locator("xpath=..")
    .evaluate((box) => box.scrollWidth - box.clientWidth);
}

test("the actions of an API key with a long name are in sight", async ({ apiKeys, page }) => {
  const { dashboard } = apiKeys;
  const workspace = new Workspace(dashboard);
  const application = await workspace.api("POST", `/v1/projects/${dashboard.projectId}/applications`, {
    name: "Web checkout with a name that is as long as a name can ever be!!",
    description: "",
    environment: "production",
  });
  expect(application.status).toBe(201);
  await apiKeys.createElsewhere({
    name: LONG,
    application_id: (application.body as { id: string }).id,
    rpm: 600,
    allowed_cidrs: ["203.0.113.0/24"],
    expires_at: new Date(Date.now() + 5 * 86_400_000).toISOString(),
  });
  await apiKeys.open();
  await expect(dashboard.keyRow(LONG)).toContainText("Expires soon");
  expect(await overflow(dashboard, "API keys"), "every column has room").toBeLessThanOrEqual(0);
  await expect(page.getByText(LONG, { exact: true })).toHaveAttribute("title", LONG);
  await expectActionsInside(dashboard, "API keys", LONG);
});

test("the actions of an inference key with a long name are in sight", async ({ application }) => {
  const keys = new InferenceKeys(application);
  await keys.open();
  await keys.createElsewhere({
    name: LONG,
    rpm: 600,
    tpm: 120_000,
    token_limit: 2_000_000,
    token_limit_period: "month",
    allowed_models: ["sandbox", "a-model-with-a-name-that-is-longer-than-any-column", "bge-m3"],
  });
  await keys.open();
  await expect(application.keyRow(LONG)).toContainText("Active");
  expect(await overflow(application, "Inference keys"), "every column has room").toBeLessThanOrEqual(0);
  await expectActionsInside(application, "Inference keys", LONG);
});

test("the actions of a service key with a long name are in sight", async ({ application }) => {
  const keys = new ServiceKeys(application);
  await keys.open();
  await keys.create(LONG, ["keys:read", "keys:write", "keys:verify", "usage:read"]);
  await expectActionsInside(application, "Service keys", LONG);
});

test("actions stay in sight where a table is wider than the window", async ({ apiKeys }) => {
  const { dashboard } = apiKeys;
  await apiKeys.createElsewhere({ name: LONG, rpm: 600, expires_at: new Date(Date.now() + 86_400_000).toISOString() });
  await apiKeys.open();
  await expect(dashboard.keyRow(LONG)).toContainText("Expires soon");
  await expectActionsInside(dashboard, "API keys", LONG, [1024, 800]);
});
