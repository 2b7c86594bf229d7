// Inference keys: limits when they are made, what they are used for, and why a request is denied.
import { expect, test } from "../support/fixtures.ts";
import { ask, InferenceKeys } from "../support/inference-keys.ts";

test("an inference key is made with limits, used, and its page tells of it", async ({ application, page, latchkey }) => {
  const keys = new InferenceKeys(application);
  await keys.open();
  await expect(page.getByRole("heading", { name: "Create your first inference key" })).toBeVisible();
  await keys.createKey.click();
  const { createDialog } = keys;
  await expect(createDialog.name).toBeFocused();
  await expect(createDialog.root.getByRole("textbox", { name: "Calls at a time" })).toHaveAccessibleDescription("64 if left empty.");
  await createDialog.fill("Support assistant", "Live");
  await createDialog.limit({ rpm: 60, tpm: 12_000, calls: 8, budget: 20, period: "A day", models: "sandbox\nbge-m3" });
  await createDialog.submit.click();
  const { createdDialog } = application;
  const secret = await createdDialog.secret();
  await expect(createdDialog.root).toContainText("for sandbox and bge-m3, never expires");
  for (const [language, words] of [
    ["curl", `${latchkey.url}/v1/chat/completions`],
    ["Python", `base_url="${latchkey.url}/v1"`],
    ["Node", `baseURL: "${latchkey.url}/v1"`],
  ] as const) {
    await createdDialog.root.getByRole("tab", { name: language }).click();
    const code = createdDialog.root.getByRole("tabpanel");
    await expect(code).toContainText(words);
    await expect(code).not.toContainText(secret);
  }
  await createdDialog.finish();

  const row = application.keyRow("Support assistant");
  await expect(row).toContainText("12k");
  await expect(row).toContainText("bge-m3");
  await expect(keys.budgetOf(row)).toHaveAttribute("aria-valuetext", "0 of 20 tokens this day");
  // Six tokens go in, and four come out.
  expect((await ask(latchkey.url, secret, "sandbox", { max_tokens: 4 })).status).toBe(200);
  await expect(keys.budgetOf(row)).toHaveAttribute("aria-valuetext", "10 of 20 tokens this day");
  expect((await ask(latchkey.url, secret, "llama-3.1-8b")).status).toBe(403);

  await keys.openKey("Support assistant");
  await expect(keys.chart("Requests")).toContainText("1 denied");
  await expect(keys.chart("Requests").getByRole("table", { name: "Requests over time" })).toHaveCount(1);
  await expect(keys.chart("Tokens").getByText("10", { exact: true }).first()).toBeVisible();
  await expect(keys.budgetOf(page)).toHaveAttribute("aria-valuenow", "10");
  await expect(page.getByText(/^Used just now/)).toBeVisible();
  await keys.denials.getByRole("button", { name: /Model not allowed/ }).click();
  await expect(keys.denials.getByRole("heading", { name: "Why was this rejected?" })).toBeVisible();
  await expect(keys.denials.getByText("not checked").first()).toBeVisible();

  await keys.tryOut("llama-3.1-8b", 1, "model_not_allowed");
  await expect(keys.why).toContainText("This key can use sandbox and bge-m3. The request asked for llama-3.1-8b.");
  await keys.tryOut("sandbox", 1, "valid");
  expect((await ask(latchkey.url, secret, "sandbox")).status).toBe(200);
  await expect(page.getByText(/^The budget is spent\. Requests are denied until /)).toBeVisible();
  await keys.tryOut("sandbox", 1, "token_budget_exhausted");
  await expect(keys.why).toContainText("20 of 20 tokens are used this day. The budget resets on");
  expect((await ask(latchkey.url, secret, "sandbox")).status).toBe(402);
  await expect(keys.chart("Requests")).toContainText("2 denied");

  await page.getByRole("button", { name: "Raise budget" }).click();
  const edit = keys.editDialog("Support assistant");
  await expect(edit.budgets.row(1).getByRole("combobox", { name: "Period" })).toHaveText("A day");
  const calls = edit.root.getByRole("textbox", { name: "Calls at a time" });
  await expect(calls).toHaveValue("8");
  await calls.fill("16");
  await edit.limit({ budget: 5_000 });
  await edit.submit.click();
  await expect(edit.root).toBeHidden();
  const limits = page.getByRole("region", { name: "Limits", exact: true });
  await expect(limits.getByRole("definition").nth(2)).toHaveText("16");
  await expect(keys.budgetOf(page)).toHaveAttribute("aria-valuetext", "20 of 5,000 tokens this day");
  await keys.tryOut("sandbox", 1, "valid");
});

test("an inference key is rotated, revoked, archived and restored with the dialogs that all keys have", async ({ application, page, latchkey }) => {
  const keys = new InferenceKeys(application);
  const old = await keys.createElsewhere({ name: "Batch summaries" });
  await keys.open();
  const row = application.keyRow("Batch summaries");
  await expect(row).toContainText("No budget");
  await expect(row).toContainText("All models");
  await keys.openKey("Batch summaries");
  await application.openAction("Batch summaries", "Rotate");
  const rotate = page.getByRole("dialog", { name: "Rotate “Batch summaries”" });
  await rotate.getByRole("radio", { name: "Stop now" }).click();
  await rotate.getByRole("button", { name: "Rotate key" }).click();
  const renewed = page.getByRole("dialog", { name: "Copy your new secret now" });
  await expect(renewed.getByRole("tab", { name: "Node" })).toBeVisible();
  await renewed.getByRole("checkbox").check();
  await renewed.getByRole("button", { name: "Done" }).click();
  expect((await ask(latchkey.url, old, "sandbox")).status).toBe(401);
  await application.revoke("Batch summaries");
  await expect(page.getByText("Revoked", { exact: true })).toBeVisible();
  await keys.tryOut("sandbox", 1, "revoked_key");
  await keys.open();
  await application.openAction("Batch summaries", "Archive");
  await expect(row).toBeHidden();
  await page.getByRole("button", { name: "Show archived" }).click();
  await application.openAction("Batch summaries", "Restore");
  await expect(row).toContainText("Revoked");
});

test("a key’s charts are read with the keyboard, and its range stands in the address", async ({ application, page, latchkey }) => {
  const keys = new InferenceKeys(application);
  const secret = await keys.createElsewhere({ name: "Support assistant" });
  expect((await ask(latchkey.url, secret, "sandbox")).status).toBe(200);
  await keys.open();
  await keys.openKey("Support assistant");
  await page.getByRole("radio", { name: "1h" }).click();
  await expect(page).toHaveURL(/\?range=1h$/);
  const plot = keys.chart("Requests").getByRole("group");
  const status = keys.chart("Requests").getByRole("status");
  // The chart of the other range gives way once the new numbers arrive, and takes the focus along.
  await expect(async () => {
    await plot.focus();
    await page.keyboard.press("End");
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("ArrowRight");
    const numbers = /^\d\d:\d\d to \d\d:\d\d: [01] allowed, 0 rate limited, 0 over budget, 0 other denials$/;
    await expect(status).toHaveText(numbers, { timeout: 1_000 });
  }).toPass({ timeout: 10_000 });
  await page.keyboard.press("Escape");
  await expect(keys.chart("Requests").getByRole("status")).toHaveText("");
  await page.reload();
  await expect(page.getByRole("radio", { name: "1h" })).toBeChecked();
});

test("a path that names no inference key finds nothing", async ({ apiKeys, page, watch }) => {
  watch.allowStatus(404, /^\/api\//);
  await apiKeys.create("Web checkout");
  const id = await apiKeys.dashboard.keyRow("Web checkout").locator("code[title]").getAttribute("title");
  await page.goto(`/projects/${apiKeys.dashboard.projectId}/inference-keys/${id}`);
  await expect(apiKeys.dashboard.heading("Not found")).toBeVisible();
});
