// Budgets in requests, tokens and dollars: of keys, in their forms, lists and pages.
import { BudgetRows } from "../support/budgets.ts";
import { expect, test } from "../support/fixtures.ts";
import { ask, InferenceKeys } from "../support/inference-keys.ts";

test("a key has several budgets, and its list shows the tightest", async ({ application, page, latchkey }) => {
  const keys = new InferenceKeys(application);
  await keys.open();
  await keys.createKey.click();
  const { createDialog } = keys;
  await createDialog.fill("Support assistant", "Live");
  await createDialog.budgets.put(1, { unit: "US dollars", limit: "5", period: "A day" });
  await expect(createDialog.root.getByText("Prices come from the operator’s upstreams file.")).toBeVisible();
  await createDialog.budgets.put(2, { unit: "Requests", limit: "10", period: "For life" });
  await createDialog.submit.click();
  const secret = await application.createdDialog.secret();
  await application.createdDialog.finish();

  const row = application.keyRow("Support assistant");
  await expect(row).toContainText("$0 of $5");
  await expect(row).toContainText("+1 more: 10 requests for life");
  expect((await ask(latchkey.url, secret, "sandbox")).status).toBe(200);
  await expect(keys.budgetOf(row, "Request budget used")).toHaveAttribute("aria-valuetext", "1 of 10 requests for life");

  await keys.openKey("Support assistant");
  const budgets = page.getByRole("region", { name: "Budgets", exact: true });
  await expect(budgets.getByRole("heading", { level: 3 })).toHaveText(["US dollars a day", "Requests for life"]);
  await expect(budgets).toContainText("Never resets");
  await expect(budgets).toContainText("0 reserved, 9 left");
  await expect(budgets).toContainText("even pace");
  await expect(keys.budgetOf(budgets, "Spend limit used")).toHaveAttribute("aria-valuetext", /^\$0\.0000\d+ of \$5 this day$/);
  await expect(keys.chart("Tokens")).toContainText(/\$0\.0000\d+/);
  const table = keys.chart("Tokens").getByRole("table", { name: "Tokens over time" });
  await expect(table.getByRole("columnheader", { name: "Cost" })).toHaveCount(1);

  await page.getByRole("region", { name: "Limits", exact: true }).getByRole("button", { name: "Edit" }).click();
  const edit = keys.editDialog("Support assistant");
  await edit.budgets.remove(1);
  await expect(edit.budgets.add).toBeFocused();
  await expect(edit.budgets.limit(1)).toHaveValue("10");
  await edit.budgets.change(1, { limit: "20" });
  await edit.submit.click();
  await expect(edit.root).toBeHidden();
  await expect(budgets.getByRole("heading", { level: 3 })).toHaveText(["Requests for life"]);
  await expect(keys.budgetOf(budgets, "Request budget used")).toHaveAttribute("aria-valuetext", "1 of 20 requests for life");
});

test("a row says what is wrong with it, and so does the server", async ({ application, page, watch }) => {
  const keys = new InferenceKeys(application);
  await keys.open();
  await keys.createKey.click();
  const { createDialog } = keys;
  const { budgets } = createDialog;
  await createDialog.fill("Support assistant", "Test");
  await budgets.put(1, { unit: "US dollars", limit: "0.0000001", period: "A day" });
  await budgets.put(2, { unit: "US dollars", limit: "5", period: "A day" });
  await createDialog.submit.click();
  await expect(budgets.limit(1)).toHaveAttribute("aria-invalid", "true");
  await expect(budgets.limit(1)).toHaveAccessibleDescription("Enter dollars from 0.000001 to 1,000,000,000.");
  await expect(budgets.limit(2)).toHaveAccessibleDescription("Another budget has this unit and period.");
  await expect(budgets.limit(1)).toBeFocused();
  await budgets.change(1, { limit: "0.5" });
  await budgets.change(2, { period: "A week" });
  await expect(budgets.limit(2)).not.toHaveAttribute("aria-invalid");

  watch.allowStatus(422, /^\/api\//);
  const problem = {
    type: "about:blank",
    title: "Unprocessable Content",
    status: 422,
    code: "invalid",
    detail: "budgets[1].limit: Too much.",
    errors: [{ field: "budgets[1].limit", message: "Too much." }],
  };
  await page.route(/\/api\/project-keys\/create/, (route) => route.fulfill({ status: 422, json: problem }));
  await createDialog.submit.click();
  await expect(budgets.limit(2)).toHaveAccessibleDescription("Too much.");
  await expect(budgets.limit(2)).toBeFocused();
  const whole = { ...problem, detail: "budgets: Too many.", errors: [{ field: "budgets", message: "Too many." }] };
  await page.unrouteAll();
  await page.route(/\/api\/project-keys\/create/, (route) => route.fulfill({ status: 422, json: whole }));
  await createDialog.submit.click();
  await expect(createDialog.root.getByRole("alert")).toHaveText("Too many.");
  const calls = { ...problem, detail: "max_parallel: Too many.", errors: [{ field: "max_parallel", message: "Too many." }] };
  await page.unrouteAll();
  await page.route(/\/api\/project-keys\/create/, (route) => route.fulfill({ status: 422, json: calls }));
  await createDialog.submit.click();
  await expect(createDialog.root.getByRole("textbox", { name: "Calls at a time" })).toHaveAccessibleDescription("Too many.");
  await expect(createDialog.root.getByRole("textbox", { name: "Calls at a time" })).toBeFocused();
  await page.unrouteAll();
  await createDialog.submit.click();
  await application.createdDialog.finish();
  await expect(application.keyRow("Support assistant")).toContainText("of $0.50");
});

test("eight budgets are the most, and the keyboard adds and removes them", async ({ application, page }) => {
  const keys = new InferenceKeys(application);
  await keys.open();
  await keys.createKey.click();
  const { budgets, root, cancel } = keys.createDialog;
  for (let number = 1; number <= 8; number++) {
    await budgets.add.press("Enter");
    await expect(budgets.limit(number)).toBeFocused();
  }
  await expect(budgets.add).toBeDisabled();
  await expect(root.getByText("8 budgets are the most.")).toBeVisible();
  await budgets.row(3).getByRole("button", { name: "Remove budget 3" }).press("Enter");
  await expect(budgets.add).toBeFocused();
  await expect(budgets.row(8)).toHaveCount(0);
  await page.keyboard.press("Shift+Tab");
  await expect(budgets.row(7).getByRole("button", { name: "Remove budget 7" })).toBeFocused();
  await cancel.click();
});

test("an API key shows its budgets in its details", async ({ apiKeys, page }) => {
  const { createDialog, dashboard } = apiKeys;
  await apiKeys.createKey.click();
  await createDialog.fill("Web checkout", "Live");
  await createDialog.advanced.click();
  const budgets = new BudgetRows(createDialog.root);
  await budgets.put(1, { limit: "100", period: "A day" });
  await createDialog.advanced.click();
  await expect(createDialog.advanced).toContainText("Rate limit: none. Budgets: 1. Allowed addresses: any.");
  await createDialog.submit.click();
  await dashboard.createdDialog.finish();
  await expect(dashboard.keyRow("Web checkout")).toContainText("100 requests a day");
  await page.getByRole("button", { name: "Details of Web checkout" }).click();
  const details = page.getByRole("dialog", { name: "Details of “Web checkout”" });
  await expect(details.getByRole("heading", { name: "Requests a day" })).toBeVisible();
  const meter = details.getByRole("meter", { name: "Request budget used" });
  await expect(meter).toHaveAttribute("aria-valuetext", "0 of 100 requests this day");
});
