// “Import and export” of a project's settings, and the dialog that imports a file.
import { createHash, randomBytes } from "node:crypto";
import { expect, type Locator, type Page } from "@playwright/test";
import { call } from "./api.ts";
import type { Dashboard } from "./dashboard.ts";

/** A key that another system made. */
export interface ForeignKey {
  name: string;
  secret: string;
  hint: string;
}

/** Keys of another system, no two alike. */
export function foreignKeys(...names: string[]): ForeignKey[] {
  return names.map((name) => {
    const secret = `acme_${randomBytes(16).toString("hex")}`;
    return { name, secret, hint: `acme_…${secret.slice(-4)}` };
  });
}

/** A line of NDJSON for each row. */
export const ndjson = (rows: object[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join("");

/** The rows of whole keys. */
export const plaintext = (keys: ForeignKey[]): object[] =>
  keys.map(({ name, secret, hint }) => ({ name, stored: secret, hint, scheme: "plaintext" }));

/** The rows of digests. */
export const digests = (keys: ForeignKey[]): object[] =>
  keys.map(({ name, secret, hint }) => ({
    name,
    hint,
    stored: createHash("sha256").update(secret).digest("hex"),
    scheme: "sha256-hex",
  }));

export class Imports {
  readonly page: Page;

  constructor(
    readonly dashboard: Dashboard,
    readonly projectId: string,
  ) {
    this.page = dashboard.page;
  }

  async open(): Promise<void> {
    await this.page.goto(`/projects/${this.projectId}/settings/project`);
    await expect(this.section).toBeVisible();
  }

  get section(): Locator {
    return this.page.getByRole("region", { name: "Import and export" });
  }

  get shapes(): Locator {
    return this.section.getByRole("table", { name: "Key shapes" });
  }

  get importKeys(): Locator {
    return this.section.getByRole("button", { name: "Import keys…" });
  }

  get exportKeys(): Locator {
    return this.section.getByRole("button", { name: "Export NDJSON" });
  }

  get dialog(): Locator {
    return this.page.getByRole("dialog", { name: "Import keys" });
  }

  get file(): Locator {
    return this.dialog.getByLabel("File", { exact: true });
  }

  get secret(): Locator {
    return this.dialog.getByLabel("Secret of the other system");
  }

  /** The button of the next step. */
  step(name: string | RegExp): Locator {
    return this.dialog.getByRole("button", { name });
  }

  get wrongRows(): Locator {
    return this.dialog.getByRole("table", { name: "Wrong rows" });
  }

  async choose(name: string, text: string): Promise<void> {
    await this.file.setInputFiles({ name, mimeType: "text/plain", buffer: Buffer.from(text) });
  }

  /** Imports over the API, as another program would. */
  async importElsewhere(rows: object[]): Promise<void> {
    const response = await fetch(`${this.dashboard.url}/v1/projects/${this.projectId}/keys/import`, {
      method: "POST",
      headers: { authorization: `Bearer ${await this.dashboard.token()}`, "content-type": "application/x-ndjson" },
      body: ndjson(rows),
    });
    expect(response.status, await response.text()).toBe(200);
  }

  /** Registers what the keys of `foreignKeys` look like. */
  async registerShape(): Promise<void> {
    const headers = { authorization: `Bearer ${await this.dashboard.token()}` };
    const shape = { prefix: "acme_", min_length: 37, max_length: 37, alphabet: "hex" };
    const answer = await call(`${this.dashboard.url}/v1/projects/${this.projectId}/key-shapes`, "POST", headers, shape);
    expect(answer.status, JSON.stringify(answer.body)).toBe(201);
  }

  /** The status that a program gets with a key. */
  async statusOf(secret: string): Promise<number> {
    return (await call(`${this.dashboard.url}/v1/key`, "GET", { "x-api-key": secret })).status;
  }
}
