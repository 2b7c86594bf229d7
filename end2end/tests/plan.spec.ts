// The plan, and who administers the instance and can change it: here the local developer.
import { ApiKeys } from "../support/api-keys.ts";
import type { Dashboard } from "../support/dashboard.ts";
import { expect, test } from "../support/fixtures.ts";

test.use({ settings: { github: false, accessTokenTtl: 900 } });
// One organization, whose plan each test changes.
test.describe.configure({ mode: "serial" });

async function plan(dashboard: Dashboard): Promise<void> {
  await dashboard.page.goto(`/projects/${dashboard.projectId}/settings/plan`);
  await expect(dashboard.heading("Plan")).toBeVisible();
}

test("upgrades from the dialog that says the limit is reached", async ({ dashboard, page }) => {
  await dashboard.signInLocally();
  const keys = new ApiKeys(dashboard);
  await keys.open();
  await keys.create("One");
  await keys.create("Two");
  await keys.createKey.click();
  await keys.createDialog.root.getByRole("button", { name: "Upgrade to Pro" }).click();
  await expect(keys.toast("Upgraded to Pro")).toBeVisible();
  await expect(keys.createDialog.name).toBeFocused();
  await expect(keys.createDialog.root.getByText("8 of 10 keys left").first()).toBeVisible();
  await keys.createDialog.name.fill("Three");
  await keys.createDialog.submit.click();
  await dashboard.createdDialog.finish();
  await expect(page.getByText("3 of 10 keys")).toBeVisible();
});

test("changes the plan on its page, effective at once", async ({ dashboard, page }) => {
  await dashboard.signInLocally();
  await plan(dashboard);
  const card = (name: string) => page.getByRole("region", { name: "Plans" }).getByRole("listitem").filter({ hasText: name });
  await expect(card("Free")).toContainText(
    "My project has 3 active keys. They keep working; new keys are refused until 1 is revoked.",
  );
  await page.getByRole("button", { name: "Downgrade to Free" }).click();
  await expect(page.getByText("Downgraded to Free")).toBeVisible();
  await expect(card("Free")).toContainText("Current plan");
  const row = page.getByRole("table", { name: "Keys in use" }).getByRole("row").filter({ hasText: "My project" });
  await expect(row).toContainText("3 of 2");
  await expect(row).toContainText("0 left");

  await page.getByRole("button", { name: "Upgrade to Enterprise" }).click();
  await expect(card("Enterprise")).toContainText("Current plan");
  await expect(row).toContainText("3 keys");
  await expect(page.getByRole("button", { name: /Project My project/ })).toContainText("Enterprise");
});

test("long lists are loaded in pages", async ({ dashboard, page }) => {
  await dashboard.signInLocally();
  const keys = new ApiKeys(dashboard);
  for (let number = 1; number <= 60; number++) await keys.createElsewhere({ name: `Many ${number}` });
  await keys.open("?q=many");
  await expect(page.getByText("50+ keys")).toBeVisible();
  await expect(dashboard.keyRow("Many 1")).toBeHidden();
  await page.getByRole("button", { name: "Load more" }).click();
  await expect(page.getByText("60 keys", { exact: true })).toBeVisible();
  await expect(dashboard.keyRow("Many 1")).toBeVisible();
  expect((await keys.names()).length).toBe(60);
  // The list goes on asking for its newest page: nothing is lost or doubled.
  await keys.createElsewhere({ name: "Many 61" });
  await expect(page.getByText("61 keys", { exact: true })).toBeVisible();
  expect(new Set(await keys.names()).size).toBe(61);
});

test("says every limit, what is in use and the way out", async ({ dashboard, page }) => {
  await dashboard.signInLocally();
  await plan(dashboard);
  const limits = page.getByRole("table", { name: "Limits" });
  const row = (name: string) => limits.getByRole("row").filter({ hasText: name });
  await expect(row("Organizations you own")).toContainText("20");
  await expect(row("Invitations you sent in the last hour")).toContainText("60");
  await expect(row("Projects")).toContainText("Delete a project or upgrade.");
  await expect(row("Live telemetry is kept")).toContainText("days");
});
