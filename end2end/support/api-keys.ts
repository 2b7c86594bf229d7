// The API keys page of a project, and the dialogs that only it or a key's row opens.
import { expect, type Locator, type Page } from "@playwright/test";
import { call } from "./api.ts";
import { CreateDialog, CreatedDialog, type Dashboard, type Environment } from "./dashboard.ts";

export class ApiKeys {
  readonly page: Page;
  /** The application on whose page the dashboard was. */
  readonly applicationId: string;

  constructor(readonly dashboard: Dashboard) {
    this.page = dashboard.page;
    this.applicationId = dashboard.applicationId;
  }

  /** Opens the page of the project that the dashboard shows. `query` is what stands after the path. */
  async open(query = ""): Promise<void> {
    await this.page.goto(`/projects/${this.dashboard.projectId}/keys${query}`);
    await expect(this.dashboard.heading("API keys")).toBeVisible();
    await expect(this.page.getByText(/^\d+ (of \d+ )?keys$/).first()).toBeVisible();
  }

  get createKey(): Locator {
    return this.page.getByRole("main").getByRole("button", { name: "Create key" });
  }

  get search(): Locator {
    return this.page.getByRole("searchbox", { name: "Search keys" });
  }

  environment(which: "All" | Environment): Locator {
    return this.page.getByRole("radiogroup", { name: "Environment" }).getByRole("radio", { name: which });
  }

  get showArchived(): Locator {
    return this.page.getByRole("switch", { name: "Show archived" });
  }

  /** The list of states, or of orders; which of the two controls is there depends on the pointer. */
  async choose(list: "Status" | "Order", option: string): Promise<void> {
    await choose(this.page.getByRole("search"), list, option);
  }

  /** The names of the listed keys, from the top. */
  async names(): Promise<string[]> {
    const rows = this.page.getByRole("table", { name: "API keys" }).getByRole("row");
    return rows.locator("td:first-child > span:first-child").allInnerTexts();
  }

  get moreFilters(): Locator {
    return this.page.getByRole("button", { name: "More filters" });
  }

  /** Types a tag or an external ID to filter by, and applies it. */
  async filterBy(field: "Tag" | "External ID", text: string): Promise<void> {
    const box = this.page.getByRole("main").getByRole("textbox", { name: field });
    if (!(await box.isVisible())) await this.moreFilters.click();
    await box.fill(text);
    await box.press("Enter");
  }

  /** “Attributes of …”: for whoever may see the key. */
  detailsDialog(name: string): Locator {
    return this.page.getByRole("dialog", { name: `Attributes of “${name}”` });
  }

  get createDialog(): CreateDialog {
    return this.dashboard.createDialog;
  }

  rotateDialog(name: string): Locator {
    return this.page.getByRole("dialog", { name: `Rotate “${name}”` });
  }

  editDialog(name: string): EditDialog {
    return new EditDialog(this.page.getByRole("dialog", { name: `Edit “${name}”` }));
  }

  get newSecretDialog(): CreatedDialog {
    return new CreatedDialog(this.page.getByRole("dialog", { name: "Copy your new secret now" }));
  }

  get check(): Locator {
    return this.page.getByRole("dialog", { name: "Is this my key?" });
  }

  async openCheck(): Promise<void> {
    await this.page.getByRole("button", { name: "Is this my key?" }).click();
    await expect(this.check).toBeVisible();
  }

  toast(text: string): Locator {
    return this.page.getByRole("status").filter({ hasText: text });
  }

  /** The card before the first key. */
  get firstKey(): Locator {
    return this.page.getByRole("heading", { name: "Create your first key" });
  }

  /** Creates a key over the API, as another program or another tab would, and answers with the secret. */
  async createElsewhere(body: Record<string, unknown>): Promise<string> {
    const { url, projectId } = this.dashboard;
    const headers = { authorization: `Bearer ${await this.dashboard.token()}` };
    const answer = await call(`${url}/v1/projects/${projectId}/keys`, "POST", headers, body);
    expect(answer.status, JSON.stringify(answer.body)).toBe(201);
    return (answer.body as { key: string }).key;
  }

  /** Creates a key with the page's own button; it is for all applications. */
  async create(name: string, environment: Environment = "Live"): Promise<string> {
    await this.createKey.click();
    await this.createDialog.fill(name, environment);
    await this.createDialog.submit.click();
    const secret = await this.dashboard.createdDialog.secret();
    await this.dashboard.createdDialog.finish();
    await expect(this.dashboard.keyRow(name)).toContainText("Active");
    return secret;
  }

  /** Rotates a key and stores the new secret. */
  async rotate(name: string, grace: "Stop now" | "1 hour" | "24 hours" | "7 days"): Promise<string> {
    await this.dashboard.openAction(name, "Rotate");
    const dialog = this.rotateDialog(name);
    await dialog.getByRole("radio", { name: grace }).click();
    await dialog.getByRole("button", { name: "Rotate key" }).click();
    const secret = await this.newSecretDialog.secret();
    await this.newSecretDialog.finish();
    return secret;
  }
}

/** “Edit …”: the fields of the form that makes a key, but for what a key stays for good. */
class EditDialog extends CreateDialog {
  override get submit(): Locator {
    return this.root.getByRole("button", { name: "Save key" });
  }
}

/** Chooses from a select: with a mouse from our own list, on touch screens from the browser's. */
export async function choose(root: Locator, list: string, option: string): Promise<void> {
  const native = root.locator("select").filter({ visible: true }).and(root.getByLabel(list));
  if ((await native.count()) > 0) {
    await native.selectOption({ label: option });
  } else {
    await root.getByRole("combobox", { name: list }).click();
    await root.getByRole("option", { name: option }).click();
  }
}

/** The service keys of a project. */
export class ServiceKeys {
  readonly page: Page;

  constructor(readonly dashboard: Dashboard) {
    this.page = dashboard.page;
  }

  /** Opens the page of the project that the dashboard shows. */
  async open(): Promise<void> {
    await this.page.goto(`/projects/${this.dashboard.projectId}/settings/service-keys`);
    await expect(this.dashboard.heading("Service keys")).toBeVisible();
  }

  get createKey(): Locator {
    return this.page.getByRole("main").getByRole("button", { name: "Create service key" });
  }

  get dialog(): Locator {
    return this.page.getByRole("dialog", { name: "Create service key" });
  }

  get submit(): Locator {
    return this.dialog.getByRole("button", { name: "Create key" });
  }

  permission(name: string): Locator {
    return this.dialog.getByRole("checkbox", { name });
  }

  row(name: string): Locator {
    return this.page.getByRole("table", { name: "Service keys" }).getByRole("row").filter({ hasText: name });
  }

  /** Creates a key with these permissions and answers with its secret. */
  async create(name: string, permissions: string[]): Promise<string> {
    await this.createKey.click();
    await this.dialog.getByRole("textbox", { name: "Name" }).fill(name);
    for (const permission of permissions) await this.permission(permission).check();
    await this.submit.click();
    const secret = await this.dashboard.createdDialog.secret();
    await this.dashboard.createdDialog.finish();
    await expect(this.row(name)).toContainText("Active");
    return secret;
  }
}
