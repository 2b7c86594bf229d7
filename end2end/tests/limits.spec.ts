// Limits over all keys of a project or an organization, and the limits that new keys start with.
import type { Locator } from "@playwright/test";
import { BudgetRows } from "../support/budgets.ts";
import { expect, test } from "../support/fixtures.ts";
import { ask, InferenceKeys } from "../support/inference-keys.ts";
import { openSettings } from "../support/members.ts";
import { Workspace } from "../support/workspace.ts";

/** Opens the dialog for these limits. */
async function edit(workspace: Workspace, what: "limits over all keys" | "defaults of new keys"): Promise<Locator> {
  await workspace.page.getByRole("button", { name: `Edit ${what}` }).click();
  const dialog = workspace.page.getByRole("dialog", { name: `Edit ${what}` });
  await expect(dialog.getByRole("textbox", { name: "Requests per minute" })).toBeFocused();
  return dialog;
}

test("a project's budget holds over all its keys, and a denial names it", async ({ application, page, latchkey }) => {
  const keys = new InferenceKeys(application);
  const secrets = [await keys.createElsewhere({ name: "One" }), await keys.createElsewhere({ name: "Two" })] as const;
  const workspace = new Workspace(application);
  await workspace.openSettings();
  const section = page.getByRole("region", { name: "Limits over all keys" });
  await expect(section).toContainText("Calls at a time");
  const dialog = await edit(workspace, "limits over all keys");
  await dialog.getByRole("textbox", { name: "Calls at a time" }).fill("0");
  await new BudgetRows(dialog).put(1, { unit: "Requests", limit: "2", period: "For life" });
  await dialog.getByRole("button", { name: "Save limits" }).click();
  await expect(dialog.getByRole("textbox", { name: "Calls at a time" })).toHaveAccessibleDescription("Enter a number from 1 to 1,000,000.");
  await dialog.getByRole("textbox", { name: "Calls at a time" }).fill("8");
  await dialog.getByRole("button", { name: "Save limits" }).click();
  await expect(workspace.toast("Limits saved")).toBeVisible();
  await expect(section.getByRole("meter", { name: "Request budget used" })).toHaveAttribute("aria-valuetext", "0 of 2 requests for life");

  for (const secret of secrets) expect((await ask(latchkey.url, secret, "sandbox")).status).toBe(200);
  const denied = await ask(latchkey.url, secrets[0], "sandbox");
  expect(denied.status).toBe(402);
  expect(denied.body).toMatchObject({ error: { code: "request_budget_exhausted", limit: { scope: "project", unit: "requests" } } });

  await page.goto(`/projects/${keys.projectId}/usage`);
  await expect(page.getByRole("region", { name: "Budgets", exact: true })).toContainText("of 2 requests for life");
  await expect(page.getByRole("region", { name: "Budget events" })).toContainText("The project has used 100% of 2 requests for life.");
  const listed = keys.denials.filter({ hasText: "Request budget" });
  await expect(listed).toHaveCount(1);
  await expect(listed).toContainText("request_budget_exhausted");
  await expect(listed, "the gateway answered 402").not.toContainText("429");
  await keys.open();
  await keys.openKey("One");
  await keys.tryOut("sandbox", 1, "request_budget_exhausted");
  await expect(keys.why).toContainText("2 of 2 requests are used by all keys of the project. The budget never resets.");
});

test("new keys start with the project's defaults", async ({ application, page }) => {
  const workspace = new Workspace(application);
  await workspace.openSettings();
  const dialog = await edit(workspace, "defaults of new keys");
  await dialog.getByRole("textbox", { name: "Requests per minute" }).fill("600");
  await new BudgetRows(dialog).put(1, { unit: "US dollars", limit: "5", period: "A day" });
  await dialog.getByRole("button", { name: "Save limits" }).click();
  await expect(workspace.toast("Defaults saved")).toBeVisible();
  await expect(page.getByRole("region", { name: "Defaults of new keys" })).toContainText("$5 a day");

  const keys = new InferenceKeys(application);
  await keys.open();
  await keys.createKey.click();
  const { createDialog } = keys;
  await expect(createDialog.root.getByRole("textbox", { name: "Requests per minute" })).toHaveValue("600");
  await expect(createDialog.budgets.limit(1)).toHaveValue("5");
  await createDialog.name.fill("Without a budget");
  await createDialog.budgets.remove(1);
  await createDialog.submit.click();
  await application.createdDialog.finish();
  await expect(application.keyRow("Without a budget")).toContainText("No budget");
});

test("an owner limits the organization on the plan page", async ({ application, page }) => {
  const workspace = new Workspace(application);
  await openSettings(application, application.projectId, "plan");
  const dialog = await edit(workspace, "limits over all keys");
  await dialog.getByRole("textbox", { name: "Tokens per minute" }).fill("12,000");
  await dialog.getByRole("button", { name: "Save limits" }).click();
  await expect(workspace.toast("Limits saved")).toBeVisible();
  await expect(page.getByRole("region", { name: "Limits over all keys" })).toContainText("12,000");
  await page.reload();
  await expect(page.getByRole("region", { name: "Limits over all keys" })).toContainText("12,000");
});

test("who may not change limits sees them and who can", async ({ members, colleague, elsewhere }) => {
  await members.join(colleague, elsewhere, "Member");
  await elsewhere.page.goto(`/projects/${members.projectId}/settings/project`);
  for (const name of ["Limits over all keys", "Defaults of new keys"]) {
    const section = elsewhere.page.getByRole("region", { name });
    await expect(section).toContainText("An owner or admin can change these limits.");
    await expect(section.getByRole("button")).toHaveCount(0);
  }
});
