// The inference keys of a project, and the page of one of them.
import { expect, type Locator, type Page } from "@playwright/test";
import { type Answer, call } from "./api.ts";
import { type Budget, BudgetRows } from "./budgets.ts";
import { CreateDialog, type Dashboard } from "./dashboard.ts";

export class InferenceKeys {
  readonly page: Page;
  readonly projectId: string;

  constructor(readonly dashboard: Dashboard) {
    this.page = dashboard.page;
    this.projectId = dashboard.projectId;
  }

  /** Opens the list of the project that the dashboard shows. */
  async open(): Promise<void> {
    await this.page.goto(`/projects/${this.projectId}/inference-keys`);
    await expect(this.dashboard.heading("Inference keys")).toBeVisible();
    await expect(this.page.getByText(/^\d+ (of \d+ )?keys$/).first()).toBeVisible();
  }

  get createKey(): Locator {
    return this.page.getByRole("main").getByRole("button", { name: "Create inference key" });
  }

  get createDialog(): InferenceDialog {
    return new InferenceDialog(this.page.getByRole("dialog", { name: "Create inference key" }));
  }

  editDialog(name: string): InferenceDialog {
    return new InferenceDialog(this.page.getByRole("dialog", { name: `Edit “${name}”` }));
  }

  /** Opens the page of a listed key. */
  async openKey(name: string): Promise<void> {
    await this.page.getByRole("link", { name, exact: true }).click();
    await expect(this.dashboard.heading(name)).toBeVisible();
    await expect(this.chart("Requests")).toBeVisible();
  }

  budgetOf(root: Locator | Page, meter = "Token budget used"): Locator {
    return root.getByRole("meter", { name: meter });
  }

  chart(title: "Requests" | "Tokens"): Locator {
    return this.page.getByRole("region", { name: title });
  }

  /** The denials that are listed. */
  get denials(): Locator {
    return this.page.getByRole("region", { name: /enials$/ }).getByRole("listitem");
  }

  get why(): Locator {
    return this.page.getByRole("region", { name: "Why was this rejected?" });
  }

  /** Tries a request out, and waits for what it would come to. */
  async tryOut(model: string, tokens: number, outcome: string): Promise<void> {
    await this.why.getByLabel("Model", { exact: true }).fill(model);
    await this.why.getByLabel("Size").fill(`${tokens}`);
    await this.why.getByRole("button", { name: "Try request" }).click();
    await expect(this.why.getByText(outcome, { exact: true })).toBeVisible();
  }

  /** Creates a key over the API and answers with its secret. */
  async createElsewhere(body: Record<string, unknown>): Promise<string> {
    const headers = { authorization: `Bearer ${await this.dashboard.token()}` };
    const answer = await call(`${this.dashboard.url}/v1/projects/${this.projectId}/inference/keys`, "POST", headers, body);
    expect(answer.status, JSON.stringify(answer.body)).toBe(201);
    return (answer.body as { key: string }).key;
  }
}

/** The form for an inference key. */
export class InferenceDialog extends CreateDialog {
  override get submit(): Locator {
    return this.root.getByRole("button", { name: /^(Create|Save) key$/ });
  }

  get budgets(): BudgetRows {
    return new BudgetRows(this.root);
  }

  /** `budget` is one in tokens, the first of the form. */
  async limit(limits: { rpm?: number; tpm?: number; calls?: number; budget?: number; period?: Budget["period"]; models?: string }): Promise<void> {
    const fields = { "Requests per minute": limits.rpm, "Tokens per minute": limits.tpm, "Calls at a time": limits.calls, "Allowed models": limits.models };
    for (const [label, value] of Object.entries(fields)) {
      if (value !== undefined) await this.root.getByRole("textbox", { name: label }).fill(`${value}`);
    }
    if (limits.budget === undefined) return;
    const budget: Budget = { unit: "Tokens", limit: `${limits.budget}` };
    await this.budgets.put(1, limits.period ? { ...budget, period: limits.period } : budget);
  }
}

/** Asks a model through the gateway, as OpenAI's clients do. */
export async function ask(url: string, key: string, model: string, more: Record<string, unknown> = {}): Promise<Answer> {
  const messages = [{ role: "user", content: "Hi" }];
  return call(`${url}/v1/chat/completions`, "POST", { authorization: `Bearer ${key}` }, { model, messages, ...more });
}
