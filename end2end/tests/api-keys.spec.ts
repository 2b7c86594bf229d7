// The API keys page of a project: what it lists, finds, hides and shows again.
import { sendTrace } from "../support/api.ts";
import { choose } from "../support/api-keys.ts";
import { expect, test } from "../support/fixtures.ts";

test("the first key turns the card into the list", async ({ apiKeys, page }) => {
  await expect(apiKeys.firstKey).toBeVisible();
  await expect(page.getByText("0 of 2 keys")).toBeVisible();
  await expect(apiKeys.search).toBeHidden();
  await expect(apiKeys.createKey, "one primary button").toHaveCount(1);
  expect(await apiKeys.create("Web checkout")).toMatch(/^lk_live_/);
  await expect(apiKeys.firstKey).toBeHidden();
  await expect(apiKeys.search).toBeVisible();
  await expect(page.getByText("1 of 2 keys")).toBeVisible();
  await expect(page.getByText("1 key", { exact: true })).toBeVisible();
});

test("a key is created with every limit and works within them alone", async ({ apiKeys, page, latchkey }) => {
  const { createDialog, dashboard } = apiKeys;
  await apiKeys.createKey.click();
  await createDialog.fill("Partner sync", "Live");
  await choose(createDialog.root, "Application", "My application");
  await expect(createDialog.root.getByText("Requests from any other application are denied.")).toBeVisible();
  await createDialog.expiry("30 days").click();
  await expect(createDialog.root.getByText(/^Stops working on \w+ \d+, \d{4} at \d\d:\d\d UTC\.$/)).toBeVisible();
  await expect(createDialog.advanced).toContainText("Rate limit: none. Allowed addresses: any.");
  await createDialog.advanced.click();
  await createDialog.rateLimit.fill("2");
  await createDialog.networks.fill("127.0.0.1\n2001:db8::/32");
  await createDialog.submit.click();
  const secret = await dashboard.createdDialog.secret();
  await expect(dashboard.createdDialog.root.getByText(/^for My application, expires /)).toBeVisible();
  await dashboard.createdDialog.finish();

  const row = dashboard.keyRow("Partner sync");
  await expect(row).toContainText("My application");
  await expect(row).toContainText("2 rpm · 2 networks");
  await expect(row).toContainText("in 30 days");
  await expect(row).toContainText(secret.slice(-4));
  const statuses = [];
  for (let i = 0; i < 3; i++) statuses.push((await sendTrace(latchkey.url, secret, "/cart")).status);
  expect(statuses).toEqual([200, 200, 429]);
  await expect(row).toContainText("just now");
  await expect(page.getByText("1 of 2 keys")).toBeVisible();
  await page.reload();
  await expect(row.getByRole("img", { name: "3 requests in 24 hours, 1 denied" })).toBeVisible();
});

test("search, filters and order stand in the address", async ({ apiKeys, page }) => {
  const { dashboard } = apiKeys;
  await apiKeys.create("Web checkout");
  await apiKeys.create("Android staging", "Test");
  expect(await apiKeys.names()).toEqual(["Android staging", "Web checkout"]);
  await apiKeys.search.fill("web");
  await expect(page).toHaveURL(/\/keys\?q=web$/);
  await expect(dashboard.keyRow("Android staging")).toBeHidden();
  await expect(page.getByText("1 key", { exact: true })).toBeVisible();
  await apiKeys.search.fill("");
  await expect(page).toHaveURL(/\/keys$/);

  await apiKeys.environment("Test").click();
  await apiKeys.choose("Status", "Active");
  await apiKeys.choose("Order", "Last used first");
  await apiKeys.showArchived.click();
  await expect(page).toHaveURL(/\/keys\?environment=test&status=active&archived=true&sort=last_used$/);
  await page.reload();
  await expect(dashboard.keyRow("Android staging")).toBeVisible();
  await expect(dashboard.keyRow("Web checkout")).toBeHidden();
  await expect(apiKeys.environment("Test")).toBeChecked();
  await expect(apiKeys.showArchived).toBeChecked();
  await expect(page.getByRole("combobox", { name: "Status" })).toHaveText("Active");
  await expect(page.getByRole("combobox", { name: "Order" })).toHaveText("Last used first");
});

test("search finds names, ids and the last four characters", async ({ apiKeys }) => {
  const { dashboard } = apiKeys;
  const secret = await apiKeys.create("Web checkout");
  await apiKeys.create("Nightly export");
  const id = await dashboard.keyRow("Web checkout").locator("code[title]").getAttribute("title");
  for (const text of ["WEB CHECK", id ?? "no id", secret.slice(-4), `lk_live_${secret.slice(8, 12)}••••••••${secret.slice(-4)}`]) {
    await apiKeys.search.fill(text);
    await expect(dashboard.keyRow("Nightly export"), text).toBeHidden();
    await expect(dashboard.keyRow("Web checkout"), text).toBeVisible();
  }
});

test("a search without a match says so and is cleared with a click", async ({ apiKeys, page }) => {
  await apiKeys.create("Web checkout");
  await apiKeys.search.fill("100%_chekout");
  await expect(page.getByRole("heading", { name: "No keys match “100%_chekout”" })).toBeVisible();
  await expect(page.getByText("0 keys", { exact: true })).toBeVisible();
  await page.getByRole("button", { name: "Clear filters" }).click();
  await expect(apiKeys.dashboard.keyRow("Web checkout")).toBeVisible();
  await expect(apiKeys.search).toHaveValue("");
  await expect(page).toHaveURL(/\/keys$/);
});

test("typing on while the list answers loses no letter", async ({ apiKeys, page }) => {
  await apiKeys.create("Web checkout");
  await apiKeys.search.pressSequentially("web checkout", { delay: 90 });
  await expect(page).toHaveURL(/q=web%20checkout$/);
  await expect(apiKeys.search).toHaveValue("web checkout");
  await expect(apiKeys.search).toBeFocused();
});

test("the order by last use puts the key in use first", async ({ apiKeys, latchkey }) => {
  const { dashboard } = apiKeys;
  await apiKeys.create("Old");
  const secret = await apiKeys.createElsewhere({ name: "Used" });
  await sendTrace(latchkey.url, secret, "/cart", 200, apiKeys.applicationId);
  await apiKeys.dashboard.revoke("Old");
  await apiKeys.create("New");
  await apiKeys.choose("Order", "Last used first");
  await expect(async () => expect(await apiKeys.names()).toEqual(["Used", "New", "Old"])).toPass();
  await expect(dashboard.keyRow("Used")).toContainText("just now");
});

test("a revoked key is archived, hidden, shown and restored", async ({ apiKeys, page }) => {
  const { dashboard } = apiKeys;
  await apiKeys.create("Web checkout");
  await apiKeys.create("Old");
  await expect(dashboard.page.getByRole("button", { name: "Archive Old" })).toBeHidden();
  await dashboard.revoke("Old");
  await expect(dashboard.keyRow("Old")).toContainText("Revoked");
  await expect(page.getByText("1 of 2 keys")).toBeVisible();

  await dashboard.openAction("Old", "Archive");
  const archived = apiKeys.toast("Archived “Old”");
  await expect(archived).toBeVisible();
  await expect(dashboard.keyRow("Old")).toBeHidden();
  await archived.getByRole("button", { name: "Undo" }).click();
  await expect(apiKeys.toast("Restored “Old”")).toBeVisible();
  await expect(dashboard.keyRow("Old")).toContainText("Revoked");

  await dashboard.openAction("Old", "Archive");
  await expect(dashboard.keyRow("Old")).toBeHidden();
  await apiKeys.showArchived.click();
  await expect(dashboard.keyRow("Old")).toContainText("Archived");
  await dashboard.openAction("Old", "Restore");
  await expect(dashboard.keyRow("Old")).toContainText("Revoked");
});

test("a project whose keys are all archived says where they are", async ({ apiKeys, page }) => {
  const { dashboard } = apiKeys;
  await apiKeys.create("Old");
  await dashboard.revoke("Old");
  await dashboard.openAction("Old", "Archive");
  await expect(page.getByRole("heading", { name: "No active keys" })).toBeVisible();
  await expect(page.getByText("This project has 1 revoked or archived key.")).toBeVisible();
  await page.getByRole("button", { name: "Show archived" }).click();
  await expect(dashboard.keyRow("Old")).toContainText("Archived");
});

test("only what was changed is sent", async ({ apiKeys, page }) => {
  await apiKeys.createElsewhere({ name: "Web checkout", rpm: 600, expires_at: "2999-05-03T08:00:00Z" });
  await apiKeys.open();
  const dialog = apiKeys.editDialog("Web checkout");
  const sent = async (change: () => Promise<void>) => {
    await apiKeys.dashboard.openAction("Web checkout", "Edit");
    await change();
    const request = page.waitForRequest(/\/api\/keys\/change/);
    await dialog.submit.click();
    await expect(dialog.root).toBeHidden();
    return JSON.parse((await request).postData() ?? "null").patch;
  };
  expect(await sent(() => dialog.rateLimit.fill("1,000"))).toEqual({ rpm: 1000 });
  await expect(apiKeys.dashboard.keyRow("Web checkout")).toContainText("1,000 rpm");
  await expect(apiKeys.toast("Key saved").first()).toBeVisible();
  expect(await sent(() => dialog.rateLimit.fill(""))).toEqual({ rpm: null });
  expect(await sent(() => dialog.expiry("Never").click())).toEqual({ expires_at: null });
  await expect(apiKeys.dashboard.keyRow("Web checkout")).toContainText("Never");

  await apiKeys.dashboard.openAction("Web checkout", "Edit");
  await dialog.submit.click();
  await expect(dialog.root, "nothing changed, nothing sent").toBeHidden();
});

test("an expired key is told apart, and lives again with a later expiry", async ({ apiKeys, page }) => {
  const { dashboard } = apiKeys;
  await apiKeys.createElsewhere({ name: "Nightly export", expires_at: new Date(Date.now() + 1_500).toISOString() });
  await apiKeys.open();
  const row = dashboard.keyRow("Nightly export");
  await expect(row).toContainText("Expired");
  await expect(page.getByText("0 of 2 keys")).toBeVisible();
  await expect(page.getByRole("button", { name: "Rotate Nightly export" })).toBeHidden();
  await dashboard.openAction("Nightly export", "Edit");
  const dialog = apiKeys.editDialog("Nightly export");
  await dialog.expiry("90 days").click();
  await dialog.submit.click();
  await expect(row).toContainText("Active");
  await expect(row).toContainText("in 90 days");
  await expect(page.getByText("1 of 2 keys")).toBeVisible();
});

test("a list that can't be loaded says so and is tried again", async ({ apiKeys, page, watch }) => {
  await apiKeys.create("Web checkout");
  watch.allowStatus(500, /^\/api\//);
  const problem = { type: "about:blank", title: "Internal Server Error", status: 500, code: "internal", detail: "It failed.", request_id: "req_test" };
  await page.route(/\/api\/project-keys\/list/, (route) => route.fulfill({ status: 500, json: problem }));
  await page.reload();
  await expect(page.getByRole("heading", { name: "Couldn’t load keys" })).toBeVisible();
  await expect(page.getByText("req_test")).toBeVisible();
  await page.unrouteAll();
  await page.getByRole("button", { name: "Try again" }).click();
  await expect(apiKeys.dashboard.keyRow("Web checkout")).toBeVisible();
});

test("a stranger's project and none at all look the same", async ({ apiKeys, page, watch }) => {
  watch.allowStatus(404, /./);
  await expect(apiKeys.firstKey).toBeVisible();
  for (const path of ["prj_01h455vb4pex5vsknk084sn02q/keys", "prj_nonsense/keys", "prj_01h455vb4pex5vsknk084sn02q/settings/plan"]) {
    await page.goto(`/projects/${path}`);
    await expect(page.getByText("This page doesn’t exist, or you don’t have access to it.")).toBeVisible();
  }
});
