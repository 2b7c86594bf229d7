// The members page of an organization, and what its dialogs say.
import { expect, type Locator, type Page } from "@playwright/test";
import { choose } from "./api-keys.ts";
import { type Answer, call } from "./api.ts";
import type { Dashboard } from "./dashboard.ts";
import type { Person } from "./stand-in.ts";

export type RoleName = "Owner" | "Admin" | "Member" | "Viewer";

/** The pages of the settings, as their paths name them. */
export type SettingsPage = "members" | "organization" | "plan" | "service-keys";

/** Opens a page of the settings of a project. */
export async function openSettings({ page }: Dashboard, projectId: string, which: SettingsPage): Promise<void> {
  await page.goto(`/projects/${projectId}/settings/${which}`);
}

export class Members {
  readonly page: Page;

  /** The members of the organization that this project is in, seen in that browser. */
  constructor(
    readonly dashboard: Dashboard,
    readonly projectId: string,
  ) {
    this.page = dashboard.page;
  }

  /** The same page in another browser. */
  seenIn(elsewhere: Dashboard): Members {
    return new Members(elsewhere, this.projectId);
  }

  async open(): Promise<void> {
    await openSettings(this.dashboard, this.projectId, "members");
    await expect(this.dashboard.heading("Members")).toBeVisible();
  }

  get table(): Locator {
    return this.page.getByRole("table", { name: "Members" });
  }

  row({ login }: Pick<Person, "login">): Locator {
    return this.table.getByRole("row").filter({ has: this.page.getByText(`@${login}`, { exact: true }) });
  }

  get invite(): Locator {
    return this.page.getByRole("main").getByRole("button", { name: "Invite member" });
  }

  get inviteDialog(): Locator {
    return this.page.getByRole("dialog", { name: "Invite member" });
  }

  get login(): Locator {
    return this.inviteDialog.getByRole("textbox", { name: "GitHub username" });
  }

  get submit(): Locator {
    return this.inviteDialog.getByRole("button", { name: "Invite member" });
  }

  async inviteAs(role: RoleName, login: string): Promise<void> {
    await this.invite.click();
    await this.login.fill(login);
    if (role !== "Member") await choose(this.inviteDialog, "Role", role);
    await this.submit.click();
    await expect(this.inviteDialog).toBeHidden();
  }

  /** The control that gives somebody another role. */
  role(person: Person): Locator {
    return this.row(person).getByRole("combobox", { name: `Role of ${person.name}` });
  }

  async give(role: RoleName, person: Person): Promise<void> {
    await choose(this.row(person), `Role of ${person.name}`, role);
  }

  actions(person: Person): Locator {
    return this.row(person).getByRole("button", { name: `Actions for ${person.name}` });
  }

  async openAction(person: Person, verb: "Remove…" | "Leave organization…"): Promise<void> {
    await this.actions(person).click();
    await this.page.getByRole("menuitem", { name: verb }).click();
  }

  confirm(title: string): Locator {
    return this.page.getByRole("alertdialog", { name: title });
  }

  toast(text: string): Locator {
    return this.page.getByRole("status").filter({ hasText: text });
  }

  failure(text: string): Locator {
    return this.page.getByRole("alert").filter({ hasText: text });
  }

  /** The person's own page of what they are invited to. */
  async openInvitations(): Promise<void> {
    await this.page.goto("/settings/invitations");
    await expect(this.dashboard.heading("Invitations")).toBeVisible();
  }

  /** Accepts the one invitation that waits. */
  async accept(): Promise<void> {
    await this.openInvitations();
    await this.page.getByRole("button", { name: "Accept the invitation of" }).click();
    await expect(this.toast("You joined ")).toBeVisible();
  }

  /** Invites somebody, who signs in in another browser, accepts, and looks at this page there. */
  async join(colleague: Person, elsewhere: Dashboard, role: RoleName = "Member"): Promise<Members> {
    await this.inviteAs(role, colleague.login);
    await elsewhere.signInPastLogin(colleague.login);
    const theirs = this.seenIn(elsewhere);
    await theirs.accept();
    await theirs.open();
    await expect(theirs.row(colleague)).toContainText("You");
    return theirs;
  }

  /** What the API answers the person of this browser. */
  async api(method: string, path: string, body?: unknown): Promise<Answer> {
    const headers = { authorization: `Bearer ${await this.dashboard.token()}` };
    return call(`${this.dashboard.url}${path}`, method, headers, body);
  }

  /** The organization's id, and somebody's in it. */
  async ids(person: Person): Promise<{ organization: string; user: string }> {
    const project = (await this.api("GET", `/v1/projects/${this.projectId}`)).body as { organization_id: string };
    const organization = project.organization_id;
    const { body } = await this.api("GET", `/v1/organizations/${organization}/members`);
    const row = (body as { data: { user_id: string; login: string }[] }).data.find(({ login }) => login === person.login);
    if (!row) throw new Error(`${person.login} is no member`);
    return { organization, user: row.user_id };
  }
}
