// The plan's limit: seen before it is hit, and explained when it is.
import { expect, test } from "../support/fixtures.ts";

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
