// The audit log of the organization of a project.
import { expect, type Locator, type Page } from "@playwright/test";
import { choose } from "./api-keys.ts";
import { call } from "./api.ts";
import type { Dashboard } from "./dashboard.ts";

export class AuditLog {
  readonly page: Page;

  constructor(readonly dashboard: Dashboard) {
    this.page = dashboard.page;
  }

  /** Opens the page of the project that the dashboard shows. `query` is what stands after the path. */
  async open(query = ""): Promise<void> {
    await this.page.goto(`/projects/${this.dashboard.projectId}/audit${query}`);
    await expect(this.dashboard.heading("Audit log")).toBeVisible();
  }

  get table(): Locator {
    return this.page.getByRole("table", { name: "Audit log" });
  }

  /** The events, without the names of the days. */
  get events(): Locator {
    return this.table.getByRole("row").filter({ has: this.page.getByRole("button", { name: /^Details of/ }) });
  }

  event(text: string | RegExp): Locator {
    return this.events.filter({ hasText: text });
  }

  get days(): Locator {
    return this.table.getByRole("rowheader");
  }

  details(of: string): Locator {
    return this.page.getByRole("button", { name: `Details of ${of}` });
  }

  /** The raw event that is open. */
  get raw(): Locator {
    return this.page.getByRole("group", { name: /^Event evt_/ });
  }

  get count(): Locator {
    return this.page.getByRole("search").getByRole("status");
  }

  get exportCsv(): Locator {
    return this.page.getByRole("button", { name: "Export CSV" });
  }

  async choose(list: "Actor" | "Action" | "Period", option: string): Promise<void> {
    await choose(this.page.getByRole("search"), list, option);
  }

  /** Renames the project so often, as another program would. */
  async renameElsewhere(times: number): Promise<void> {
    const headers = { authorization: `Bearer ${await this.dashboard.token()}` };
    const url = `${this.dashboard.url}/v1/projects/${this.dashboard.projectId}`;
    for (let time = 1; time <= times; time++) {
      expect((await call(url, "PATCH", headers, { name: `Name ${time}` })).status).toBe(200);
    }
  }
}
