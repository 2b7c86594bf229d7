// The usage of a project by key, model, application, external ID and tag.
import { readFile } from "node:fs/promises";
import type { Locator, Page } from "@playwright/test";
import { sendTrace } from "../support/api.ts";
import { ApiKeys } from "../support/api-keys.ts";
import { type Dashboard, FIRST_APPLICATION } from "../support/dashboard.ts";
import { expect, test } from "../support/fixtures.ts";
import { ask, InferenceKeys } from "../support/inference-keys.ts";
import { tabTo } from "../support/keyboard.ts";
import { problem } from "../support/problem.ts";

const section = (page: Page): Locator => page.getByRole("region", { name: "Usage by group" });
const table = (page: Page): Locator => section(page).getByRole("table", { name: "Usage by group" });
const tab = (page: Page, name: string): Locator => section(page).getByRole("tab", { name, exact: true });

async function open(dashboard: Dashboard, query = ""): Promise<void> {
  await dashboard.page.goto(`/projects/${dashboard.projectId}/usage${query}`);
  await expect(section(dashboard.page)).toBeVisible();
}

/** Name and requests of each group, from the top. */
async function groups(page: Page): Promise<(string | undefined)[][]> {
  return table(page)
    .locator("tbody tr")
    .evaluateAll((rows) =>
      rows.map((row) => [row.children[0]?.firstElementChild, row.children[1]?.lastElementChild].map((part) => part?.textContent ?? undefined)),
    );
}

async function expectGroups(page: Page, expected: [string, string][]): Promise<void> {
  await expect.poll(() => groups(page)).toEqual(expected);
}

/** Two keys, which is what the plan allows, that differ in what they have. One is used once, the other three times. */
async function use(dashboard: Dashboard): Promise<void> {
  const { url, applicationId } = dashboard;
  const attributes = { external_id: "cust_1", tags: ["a", "b"], application_id: applicationId };
  const one = await new ApiKeys(dashboard).createElsewhere({ name: "One", ...attributes });
  const bot = await new InferenceKeys(dashboard).createElsewhere({ name: "Bot" });
  expect((await sendTrace(url, one, "/cart")).status).toBe(200);
  for (let call = 0; call < 3; call++) expect((await ask(url, bot, "sandbox")).status).toBe(200);
}

test("usage is shown by what keys have, most requests first", async ({ application, page }) => {
  await use(application);
  await open(application);
  await expectGroups(page, [["Bot", "3"], ["One", "1"]]);
  await expect(section(page).getByRole("status")).toHaveText("2 groups");
  for (const [name, query, expected] of [
    ["Model", "model", [["sandbox", "3"], ["No model", "1"]]],
    ["Application", "application", [["No application", "3"], [FIRST_APPLICATION, "1"]]],
    ["External ID", "external_id", [["No external ID", "3"], ["cust_1", "1"]]],
    ["Tag", "tag", [["No tag", "3"], ["a", "1"], ["b", "1"]]],
  ] as [string, string, [string, string][]][]) {
    await tab(page, name).click();
    await expect(tab(page, name)).toHaveAttribute("aria-selected", "true");
    await expect(page).toHaveURL(new RegExp(`\\?group_by=${query}$`));
    await expectGroups(page, expected);
    await expect(table(page).getByRole("columnheader").first()).toHaveText(name);
  }
  await page.reload();
  await expect(tab(page, "Tag")).toHaveAttribute("aria-selected", "true");
  await expectGroups(page, [["No tag", "3"], ["a", "1"], ["b", "1"]]);
  await tab(page, "Model").click();
  const sandbox = table(page).getByRole("row").filter({ hasText: "sandbox" });
  await expect(sandbox.getByRole("cell").last()).toContainText(/\$0\.000\d+/);
});

test("a group that is a key leads to the key", async ({ application, page }) => {
  await use(application);
  await open(application, "?range=7d");
  await expectGroups(page, [["Bot", "3"], ["One", "1"]]);
  const bot = table(page).getByRole("link", { name: "Bot" });
  await expect(bot).toHaveAttribute("href", /\/inference-keys\/key_\w+$/);
  await bot.click();
  await expect(application.heading("Bot")).toBeVisible();
  await page.goBack();
  await table(page).getByRole("link", { name: "One" }).click();
  await expect(page).toHaveURL(/\?range=7d&key=key_\w+$/);
  await expect(new InferenceKeys(application).chart("Requests").getByText("1", { exact: true }).first()).toBeVisible();
  await expect(section(page), "one key has no groups").toBeHidden();
});

test("the groups are chosen with the keyboard", async ({ application, page }) => {
  await use(application);
  await open(application);
  await tabTo(page, tab(page, "Key"));
  await page.keyboard.press("ArrowRight");
  await expect(tab(page, "Model")).toBeFocused();
  await expectGroups(page, [["sandbox", "3"], ["No model", "1"]]);
  await page.keyboard.press("End");
  await expect(tab(page, "Tag")).toBeFocused();
  await expect(page).toHaveURL(/\?group_by=tag$/);
  await page.keyboard.press("Home");
  await expect(tab(page, "Key")).toBeFocused();
  await tabTo(page, table(page).getByRole("link", { name: "Bot" }));
  await page.keyboard.press("Enter");
  await expect(application.heading("Bot")).toBeVisible();
});

test("groups are cards on a phone", async ({ application, page }) => {
  await use(application);
  await page.setViewportSize({ width: 390, height: 844 });
  await open(application, "?group_by=tag");
  await expectGroups(page, [["No tag", "3"], ["a", "1"], ["b", "1"]]);
  const card = table(page).locator("tbody tr").nth(1);
  for (const label of ["Requests", "Allowed", "Denied", "Input tokens", "Output tokens", "Cost"]) {
    await expect(card.getByText(label, { exact: true })).toBeVisible();
  }
  const wider = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  expect(wider).toBe(0);
});

test("a project without usage has no groups, and models have no tags", async ({ application, page }) => {
  await open(application);
  await expect(section(page)).toContainText("No requests in this range.");
  await expect(section(page).getByRole("status")).toHaveText("0 groups");
  await open(application, "?tag=beta&group_by=model");
  await expect(section(page)).toContainText("Models have no tags or external IDs");
  await expect(section(page).getByRole("button", { name: "Download CSV" })).toBeHidden();
  await tab(page, "External ID").click();
  await expect(section(page)).toContainText("No requests in this range.");
});

test("groups that can’t be loaded say so, and a full table says that it is", async ({ application, page, watch }) => {
  watch.allowStatus(503, /^\/api\/usage\/groups/);
  await page.route("**/api/usage/groups", (route) => route.fulfill({ status: 503, body: "{}" }));
  await open(application, "?group_by=tag");
  await expect(section(page).getByRole("alert")).toContainText("Couldn’t load usage by group");
  await page.unroute("**/api/usage/groups");
  const data = Array.from({ length: 1_000 }, (_, index) => ({
    ...{ group: `tag ${index}`, label: `tag ${index}`, requests: 2_000 - index, valid: 2_000 - index, denied: 0 },
    ...{ prompt_tokens: 12_345, completion_tokens: 0, cost_usd: "0.25" },
  }));
  await page.route("**/api/usage/groups", (route) => route.fulfill({ json: { range: "24h", group_by: "tag", data } }));
  await section(page).getByRole("button", { name: "Try again" }).click();
  await expect(section(page)).toContainText("Only the 1,000 groups with most requests are listed.");
  await expect(section(page).getByRole("status")).toHaveText("1,000 groups");
  await expect(table(page).locator("tbody tr")).toHaveCount(1_000);
  const first = table(page).locator("tbody tr").first();
  await expect(first.getByRole("cell").nth(4)).toContainText("12k");
  await expect(first.getByRole("cell").last()).toContainText("$0.25");
});

test("the CSV has the groups that are shown", async ({ application, page, watch }) => {
  await use(application);
  await open(application, "?group_by=tag");
  const button = section(page).getByRole("button", { name: "Download CSV" });
  const [download] = await Promise.all([page.waitForEvent("download"), button.click()]);
  expect(download.suggestedFilename()).toMatch(/^usage-by-tag-24h-\d{4}-\d\d-\d\d\.csv$/);
  await expect(page.getByRole("status").filter({ hasText: "CSV downloaded" })).toBeVisible();
  const lines = (await readFile(await download.path(), "utf8")).trim().split("\r\n");
  expect(lines[0]).toMatch(/^group,label,requests,/);
  expect(lines.slice(1).map((line) => line.split(",").slice(0, 3))).toEqual([["", "", "3"], ["a", "a", "1"], ["b", "b", "1"]]);

  watch.allowStatus(500, /\/usage\?/);
  await page.route(/\/v1\/projects\/.*\/usage\?/, (route) => route.fulfill({ status: 500, json: problem }));
  await button.click();
  const failure = page.getByRole("alert").filter({ hasText: "Couldn’t download the CSV." });
  await expect(failure).toBeVisible();
  await page.unrouteAll();
  await Promise.all([page.waitForEvent("download"), failure.getByRole("button", { name: "Retry" }).click()]);
});
