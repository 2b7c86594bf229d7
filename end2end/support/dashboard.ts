// The dashboard's words and controls, in one place: what a person looks for on each page. Everything is
// found by its role and name, as UI.md writes it.
import { expect, type Locator, type Page } from "@playwright/test";
import { LOCAL_CODE, LOCAL_SIGN_IN } from "./server.ts";

/** What a secret looks like. */
export const SECRET = /\blk_(?:live|test)_[0-9A-Za-z]{38}\b/;

/** The application that a first sign-in makes. */
export const FIRST_APPLICATION = "My application";

export type Environment = "Live" | "Test";

/** What is done with a key in a list. */
export type KeyVerb = "Edit" | "Rotate" | "Disable" | "Enable" | "Archive" | "Restore" | "Revoke";

/** The pages of one browser tab. */
export class Dashboard {
  constructor(
    readonly page: Page,
    readonly url: string,
  ) {}

  // --- Signing in and out ---------------------------------------------------------------------------

  get continueWithGitHub(): Locator {
    return this.page.getByRole("link", { name: "Continue with GitHub" });
  }

  /** The stand-in's page on which a person says who they are. */
  gitHubAccount(login: string): Locator {
    return this.page.getByRole("link", { name: `Continue as ${login}`, exact: true });
  }

  /** Signs in from the login page, or from wherever a signed-out person is sent to it. */
  async signIn(login: string, from = "/login"): Promise<void> {
    await this.page.goto(from);
    await this.continueWithGitHub.click();
    await this.comeBackAs(login);
  }

  /** Signs in where the login page's link leads, without loading that page: for tests of something else. */
  async signInPastLogin(login: string): Promise<void> {
    await this.page.goto("/oauth2/authorization/github?next=/");
    await this.comeBackAs(login);
  }

  private async comeBackAs(login: string): Promise<void> {
    await this.gitHubAccount(login).click();
    await this.page.waitForURL((url) => url.origin === this.url && !/^\/(auth|login)/.test(url.pathname));
  }

  get continueLocally(): Locator {
    return this.page.getByRole("button", { name: "Continue as local developer" });
  }

  /** Where the code of local sign-in is typed, without the link. */
  get localCode(): Locator {
    return this.page.getByRole("textbox", { name: "Code" });
  }

  /** Types the code of local sign-in and goes on. */
  async continueWithCode(code = LOCAL_CODE): Promise<void> {
    await this.localCode.fill(code);
    await this.continueLocally.click();
  }

  /** Signs in as the local developer, who administers the instance, and opens their first application. */
  async signInLocally(): Promise<void> {
    await this.page.goto(LOCAL_SIGN_IN);
    await this.openApplication();
  }

  async signOut(): Promise<void> {
    await this.openAccountMenu();
    await this.page.getByRole("menuitem", { name: "Sign out" }).click();
    await this.page.waitForURL(/\/login\?reason=signed_out/);
  }

  async openAccountMenu(): Promise<void> {
    await this.page.getByRole("button", { name: /account/i }).click();
  }

  /** The JWT as it stands in the browser. */
  async token(): Promise<string | null> {
    return this.page.evaluate(() => localStorage.getItem("token"));
  }

  async setToken(token: string): Promise<void> {
    await this.page.evaluate((value) => localStorage.setItem("token", value), token);
  }

  // --- Applications ---------------------------------------------------------------------------------

  async openApplication(name = FIRST_APPLICATION): Promise<void> {
    await expect(this.heading("Applications")).toBeVisible();
    await this.page.getByRole("main").getByRole("link", { name }).click();
    await this.page.waitForURL(/\/projects\/(?:[a-z0-9-]+-)?prj_\w+\/applications\/(?:[a-z0-9-]+-)?app_\w+/);
    await expect(this.heading(name)).toBeVisible();
    await expect(this.createKey).toBeEnabled();
  }

  heading(name: string | RegExp): Locator {
    return this.page.getByRole("heading", { level: 1, name });
  }

  get applicationId(): string {
    const id = /app_\w+/.exec(this.page.url())?.[0];
    if (!id) throw new Error(`no application in ${this.page.url()}`);
    return id;
  }

  get projectId(): string {
    const id = /prj_\w+/.exec(this.page.url())?.[0];
    if (!id) throw new Error(`no project in ${this.page.url()}`);
    return id;
  }

  // --- Keys -----------------------------------------------------------------------------------------

  get createKey(): Locator {
    return this.page.getByRole("main").getByRole("button", { name: "Generate API key" });
  }

  get createDialog(): CreateDialog {
    return new CreateDialog(this.page.getByRole("dialog", { name: "Create API key" }));
  }

  get createdDialog(): CreatedDialog {
    return new CreatedDialog(this.page.getByRole("dialog", { name: "Copy your key now" }));
  }

  get closeCheck(): Locator {
    return this.page.getByRole("alertdialog", { name: "Close without storing the key?" });
  }

  /** Opens what is done with a key: a button in its row, on phones an item of its menu. */
  async openAction(name: string, verb: KeyVerb): Promise<void> {
    if (this.isPhone) {
      await this.page.getByRole("button", { name: `Actions for ${name}`, exact: true }).click();
      await this.page.getByRole("menuitem", { name: verb }).click();
    } else {
      await this.page.getByRole("button", { name: `${verb} ${name}`, exact: true }).click();
    }
  }

  get isPhone(): boolean {
    return (this.page.viewportSize()?.width ?? 0) < 768;
  }

  disableDialog(name: string): Locator {
    return this.page.getByRole("alertdialog", { name: `Disable “${name}”?` });
  }

  revokeDialog(name: string): Locator {
    return this.page.getByRole("alertdialog", { name: `Revoke “${name}”?` });
  }

  /** The key's row in the table, or its card on a narrow screen. */
  keyRow(name: string): Locator {
    return this.page.getByRole("row").filter({ has: this.page.getByText(name, { exact: true }) });
  }

  revokeButton(name: string): Locator {
    return this.page.getByRole("button", { name: `Revoke ${name}`, exact: true });
  }

  /** Creates a key and reads its secret off the dialog, which stays open. */
  async createAndReveal(name: string, environment: Environment = "Live"): Promise<string> {
    await this.createKey.click();
    await this.createDialog.fill(name, environment);
    await this.createDialog.submit.click();
    return this.createdDialog.secret();
  }

  /** Creates a key, stores it, and goes back to the list. */
  async create(name: string, environment: Environment = "Live"): Promise<string> {
    const secret = await this.createAndReveal(name, environment);
    await this.createdDialog.finish();
    await expect(this.keyRow(name)).toContainText("Active");
    return secret;
  }

  async disable(name: string): Promise<void> {
    await this.openAction(name, "Disable");
    await this.disableDialog(name).getByRole("button", { name: "Disable key" }).click();
    await expect(this.disableDialog(name)).toBeHidden();
  }

  async revoke(name: string): Promise<void> {
    await this.openAction(name, "Revoke");
    await this.revokeDialog(name).getByRole("button", { name: "Revoke key" }).click();
    await expect(this.revokeDialog(name)).toBeHidden();
  }

  // --- Telemetry ------------------------------------------------------------------------------------

  tab(name: "Traces" | "Logs"): Locator {
    return this.page.getByRole("tab", { name });
  }

  /** The rows with this text, of whichever list is shown. */
  telemetryRow(text: string): Locator {
    return this.page.getByRole("row").filter({ hasText: text });
  }

  // --- Themes ---------------------------------------------------------------------------------------

  get themeButton(): Locator {
    return this.page.getByRole("button", { name: /theme/i });
  }

  /** `data-theme` as the page has it now; null follows the system. */
  async theme(): Promise<string | null> {
    return this.page.locator("html").getAttribute("data-theme");
  }
}

/** “Create API key”. */
export class CreateDialog {
  constructor(readonly root: Locator) {}

  get name(): Locator {
    return this.root.getByRole("textbox", { name: "Name" });
  }

  get submit(): Locator {
    return this.root.getByRole("button", { name: "Create key" });
  }

  get cancel(): Locator {
    return this.root.getByRole("button", { name: "Cancel" });
  }

  environment(which: Environment): Locator {
    return this.root.getByRole("radio", { name: which });
  }

  async fill(name: string, environment: Environment): Promise<void> {
    await this.name.fill(name);
    if (environment === "Test") await this.environment("Test").click();
  }

  expiry(which: "Never" | "30 days" | "90 days" | "Custom"): Locator {
    return this.root.getByRole("radio", { name: which });
  }

  get lastDay(): Locator {
    return this.root.getByLabel("Last day");
  }

  get advanced(): Locator {
    return this.root.getByRole("button", { name: /^Advanced/ });
  }

  get attributes(): Locator {
    return this.root.getByRole("button", { name: /^Attributes/ });
  }

  get externalId(): Locator {
    return this.root.getByRole("textbox", { name: "External ID" });
  }

  /** Where a tag or a scope is typed. */
  words(list: "Tags" | "Scopes"): Locator {
    return this.root.getByRole("textbox", { name: list });
  }

  chips(list: "Tags" | "Scopes"): Locator {
    return this.root.getByRole("list", { name: list }).getByRole("listitem");
  }

  get metadata(): Locator {
    return this.root.getByRole("textbox", { name: "Metadata" });
  }

  get createDisabled(): Locator {
    return this.root.getByRole("checkbox", { name: /^Create disabled/ });
  }

  get rateLimit(): Locator {
    return this.root.getByRole("textbox", { name: "Rate limit" });
  }

  get networks(): Locator {
    return this.root.getByRole("textbox", { name: "Allowed addresses" });
  }
}

/** “Copy your key now”: the one place where a secret is shown. */
export class CreatedDialog {
  constructor(readonly root: Locator) {}

  get stored(): Locator {
    return this.root.getByRole("checkbox", { name: "I’ve stored this key somewhere safe" });
  }

  get done(): Locator {
    return this.root.getByRole("button", { name: "Done" });
  }

  get close(): Locator {
    return this.root.getByRole("button", { name: "Close" });
  }

  get copy(): Locator {
    return this.root.getByRole("button", { name: "Copy key" });
  }

  async secret(): Promise<string> {
    await expect(this.root).toBeVisible();
    const secret = SECRET.exec(await this.root.innerText())?.[0];
    if (!secret) throw new Error("the dialog shows no key");
    return secret;
  }

  async finish(): Promise<void> {
    await this.stored.check();
    await this.done.click();
    await expect(this.root).toBeHidden();
  }
}
