// The plan's limit: seen before it is hit, explained when it is, and lifted by the instance's administrator.
import { expect, test } from "../support/fixtures.ts";
import { ApiKeys } from "../support/api-keys.ts";
import type { Dashboard } from "../support/dashboard.ts";

test.describe("a project on Free", () => {
  test("at the limit the dialog offers the ways out, and revoking one leads on", async ({ apiKeys, page }) => {
    const { dashboard, createDialog } = apiKeys;
    await apiKeys.create("One");
    await apiKeys.create("Two", "Test");
    await apiKeys.createKey.click();
    const dialog = createDialog.root;
    await expect(dialog.getByText("You’ve used 2 of 2 keys on Free. Revoke an unused key or upgrade.")).toBeVisible();
    await expect(createDialog.submit).toBeDisabled();
    const unused = dialog.getByRole("region", { name: "Revoke an unused key" }).getByRole("listitem");
    await expect(unused).toHaveText([/^One.*Never used/, /^Two.*Never used/]);
    await expect(dialog.getByText("Ask an instance administrator to upgrade.")).toBeVisible();
    await expect(dialog.getByRole("button", { name: /Upgrade/ })).toHaveCount(0);

    await dialog.getByRole("button", { name: "Revoke… One" }).click();
    const confirm = dashboard.revokeDialog("One");
    await expect(confirm.getByRole("button", { name: "Cancel" })).toBeFocused();
    await confirm.getByRole("button", { name: "Revoke key" }).click();
    await expect(createDialog.name).toBeFocused();
    await createDialog.name.fill("Three");
    await createDialog.submit.click();
    await dashboard.createdDialog.finish();
    await expect(dashboard.keyRow("Three")).toContainText("Active");
    await expect(page.getByText("2 of 2 keys")).toBeVisible();
  });

  test("a limit that another tab has reached is told when the form is sent", async ({ apiKeys, watch }) => {
    const { createDialog } = apiKeys;
    await apiKeys.create("One");
    watch.allowStatus(409, /^\/api\//);
    await apiKeys.createKey.click();
    await createDialog.name.fill("Three");
    await apiKeys.createElsewhere({ name: "Two" });
    await createDialog.submit.click();
    await expect(createDialog.root.getByText("You’ve used 2 of 2 keys on Free.")).toBeVisible();
  });

  test("who can't change the plan sees who can", async ({ apiKeys, page }) => {
    await page.goto(`/projects/${apiKeys.dashboard.projectId}/settings/plan`);
    await expect(apiKeys.dashboard.heading("Plan")).toBeVisible();
    await expect(page.getByRole("listitem").filter({ hasText: "Current plan" })).toContainText("Free");
    await expect(page.getByText("Ask an instance administrator to upgrade.")).toBeVisible();
    await expect(page.getByRole("button", { name: /grade to/ })).toHaveCount(0);
    for (const limit of ["100,000 live requests a month", "5,000,000 live requests a month", "50,000,000 live requests a month"]) {
      await expect(page.getByText(limit, { exact: true })).toBeVisible();
    }
  });
});

test.describe("the instance's administrator", () => {
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
});
