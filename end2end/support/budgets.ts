// The list of budgets in a form: of a key, a project, an organization, or the defaults of new keys.
import { expect, type Locator } from "@playwright/test";
import { choose } from "./api-keys.ts";

/** One row; what is left out stays as the form has it. */
export interface Budget {
  unit?: "Requests" | "Tokens" | "US dollars";
  limit?: string;
  period?: "A minute" | "An hour" | "A day" | "A week" | "A month" | "For life";
}

export class BudgetRows {
  constructor(readonly form: Locator) {}

  get add(): Locator {
    return this.form.getByRole("button", { name: "Add budget" });
  }

  /** The rows are counted from 1, as screen readers hear them. */
  row(number: number): Locator {
    return this.form.getByRole("group", { name: `Budget ${number}`, exact: true });
  }

  limit(number: number): Locator {
    return this.row(number).getByRole("textbox", { name: "Limit", exact: true });
  }

  async change(number: number, { unit, limit, period }: Budget): Promise<void> {
    if (unit) await choose(this.row(number), "Unit", unit);
    if (limit !== undefined) await this.limit(number).fill(limit);
    if (period) await choose(this.row(number), "Period", period);
  }

  /** Adds a row, or changes it if it is there. */
  async put(number: number, budget: Budget): Promise<void> {
    if ((await this.row(number).count()) === 0) {
      await this.add.click();
      await expect(this.limit(number)).toBeFocused();
    }
    await this.change(number, budget);
  }

  async remove(number: number): Promise<void> {
    await this.row(number).getByRole("button", { name: `Remove budget ${number}` }).click();
  }
}
