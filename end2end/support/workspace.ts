// Organizations and projects: the switcher, the dialogs that make them, and a project's own settings.
import { expect, type Locator, type Page } from "@playwright/test";
import { type Answer, call } from "./api.ts";
import type { Dashboard } from "./dashboard.ts";

export class Workspace {
  readonly page: Page;

  constructor(readonly dashboard: Dashboard) {
    this.page = dashboard.page;
  }

  /** Opens the switcher; between phones and desks it stands in the drawer. */
  async openSwitcher(): Promise<void> {
    const navigation = this.page.getByRole("button", { name: "Open navigation" });
    if ((await this.switcher.count()) === 0) await navigation.click();
    await this.switcher.click();
  }

  /** Closes the drawer, if the switcher stands in it. */
  async leaveNavigation(): Promise<void> {
    const close = this.page.getByRole("button", { name: "Close navigation" });
    if (await close.isVisible()) await close.click();
  }

  /** The switcher that is in sight. */
  get switcher(): Locator {
    return this.page.getByRole("button", { name: /^(Project .*, switch|Switch project)$/ }).filter({ visible: true });
  }

  item(name: string | RegExp): Locator {
    return this.page.getByRole("menuitem", { name });
  }

  /** The projects of an organization in the switcher's menu. */
  group(organization: string): Locator {
    return this.page.getByRole("menu").getByRole("group", { name: new RegExp(`^${organization} · `) });
  }

  get projectDialog(): ProjectDialog {
    return new ProjectDialog(this.page.getByRole("dialog", { name: "Create project" }));
  }

  get organizationDialog(): Locator {
    return this.page.getByRole("dialog", { name: "Create organization" });
  }

  get deleteProject(): Locator {
    return this.page.getByRole("main").getByRole("button", { name: "Delete project…" });
  }

  confirm(name: string): Locator {
    return this.page.getByRole("alertdialog", { name: `Delete ${name}?` });
  }

  toast(text: string): Locator {
    return this.page.getByRole("status").filter({ hasText: text });
  }

  /** Opens the project's own settings. */
  async openSettings(): Promise<void> {
    await this.page.goto(`/projects/${this.dashboard.projectId}/settings/project`);
    await expect(this.dashboard.heading("Project")).toBeVisible();
  }

  /** What the API answers the person of this browser. */
  async api(method: string, path: string, body?: unknown): Promise<Answer> {
    const headers = { authorization: `Bearer ${await this.dashboard.token()}` };
    return call(`${this.dashboard.url}${path}`, method, headers, body);
  }

  /** Deletes the project that the dashboard shows, as another program would. */
  async deleteElsewhere(): Promise<void> {
    expect((await this.api("DELETE", `/v1/projects/${this.dashboard.projectId}`)).status).toBe(204);
  }
}

/** “Create project”. */
class ProjectDialog {
  constructor(readonly root: Locator) {}

  get name(): Locator {
    return this.root.getByRole("textbox", { name: "Name" });
  }

  get prefix(): Locator {
    return this.root.getByRole("textbox", { name: "Key prefix" });
  }

  get submit(): Locator {
    return this.root.getByRole("button", { name: "Create project" });
  }
}
