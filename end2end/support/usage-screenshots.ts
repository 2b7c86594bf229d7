// A walk past the inference keys, the page of one of them, and the usage of their project.
import { expect } from "@playwright/test";
import type { Dashboard } from "./dashboard.ts";
import { ask, InferenceKeys } from "./inference-keys.ts";
import type { Stop } from "./screenshots.ts";

/** Begins on the page of an application whose project has no key. */
export async function usageScreenshots(dashboard: Dashboard, stop: Stop): Promise<void> {
  const keys = new InferenceKeys(dashboard);
  await keys.open();
  await expect(keys.createKey).toBeVisible();
  await stop("inference-keys-empty");
  await creation(keys, stop);
  await list(keys, stop);
  await oneKey(keys, stop);
  await dashboard.page.goto(`/projects/${keys.projectId}/usage`);
  await expect(keys.chart("Requests")).toContainText(/[1-9]\d* denied/);
  await stop("usage");
  const groups = dashboard.page.getByRole("region", { name: "Usage by group" });
  await expect(groups.getByRole("link", { name: "Support assistant" })).toBeVisible();
  await groups.scrollIntoViewIfNeeded();
  await stop("usage-by-key");
  await groups.getByRole("tab", { name: "Model" }).click();
  await expect(groups.getByRole("table")).toContainText("sandbox");
  await stop("usage-by-model");
}

async function creation(keys: InferenceKeys, stop: Stop): Promise<void> {
  const { createDialog, page } = keys;
  await keys.createKey.click();
  await createDialog.name.fill("Support assistant");
  await createDialog.limit({ rpm: 0, budget: 5_000 });
  await createDialog.budgets.put(2, { unit: "US dollars", limit: "none", period: "For life" });
  await createDialog.submit.click();
  await expect(createDialog.root.getByText(/^Enter a number from 1 to/)).toBeVisible();
  await stop("inference-create-refused");
  await createDialog.budgets.limit(2).scrollIntoViewIfNeeded();
  await stop("inference-create-budgets");
  await createDialog.budgets.change(2, { limit: "5" });
  await createDialog.limit({ rpm: 3, tpm: 12_000 });
  await createDialog.submit.click();
  const secret = await keys.dashboard.createdDialog.secret();
  await stop("inference-created", secret);
  await keys.dashboard.createdDialog.finish();
  await expect(page.getByRole("table", { name: "Inference keys" })).toBeVisible();
  const long = "a-model-with-a-name-that-is-longer-than-any-column";
  const spent = await keys.createElsewhere({
    name: "Batch summaries with a name as long as a name can ever be, 64 le",
    token_limit: 20,
    token_limit_period: "month",
    allowed_models: ["sandbox", long, "bge-m3", "qwen3.6-27b"],
  });
  for (const [key, model] of [[secret, "sandbox"], [secret, "sandbox"], [spent, "sandbox"], [spent, long], [secret, "sandbox"], [secret, "sandbox"], [spent, "gpt-9"]] as const) {
    await ask(keys.dashboard.url, key, model);
  }
}

async function list({ page, dashboard }: InferenceKeys, stop: Stop): Promise<void> {
  await expect(dashboard.keyRow("Support assistant")).toContainText("of 5,000");
  await expect(page.getByText("Budget spent")).toBeVisible();
  await stop("inference-keys");
}

async function oneKey(keys: InferenceKeys, stop: Stop): Promise<void> {
  const { page } = keys;
  await keys.openKey("Support assistant");
  await expect(keys.chart("Requests")).toContainText("1 denied");
  await keys.denials.getByRole("button").first().click();
  await expect(keys.denials.getByText("not checked").first()).toBeVisible();
  await keys.chart("Requests").getByRole("group").focus();
  await page.keyboard.press("End");
  await stop("inference-key");
  await keys.tryOut("sandbox", 100_000, "rate_limited");
  await keys.why.scrollIntoViewIfNeeded();
  await stop("inference-key-why");
  await page.goBack();
  await page.getByRole("link", { name: /^Batch summaries/ }).click();
  await expect(page.getByText(/^The budget is spent/)).toBeVisible();
  await stop("inference-key-spent");
}
