// A walk past every page and dialog, in every state that a person meets: for the screenshots, and for what
// must hold everywhere.
import { expect } from "@playwright/test";
import { ApiKeys, ServiceKeys } from "./api-keys.ts";
import { call, sendLog, sendTrace } from "./api.ts";
import type { Dashboard } from "./dashboard.ts";
import { Members, openSettings } from "./members.ts";
import type { Person } from "./stand-in.ts";
import { sendTelemetry, Telemetry } from "./telemetry.ts";

/** Called at each stop; `secret` is set where a secret is on the page. */
export type Stop = (name: string, secret?: string) => Promise<void>;

/** Goes from the login page to the end of the session. Leaves the dashboard on the login page. */
export async function pageScreenshots(dashboard: Dashboard, login: string, stop: Stop): Promise<void> {
  await loginPage(dashboard, stop);
  await dashboard.signIn(login);
  await expect(dashboard.page.getByRole("main").getByRole("link", { name: "My application" })).toBeVisible();
  await stop("applications");
  await dashboard.openApplication();
  await stop("application-empty");
  const keys = new ApiKeys(dashboard);
  const applicationPage = dashboard.page.url();
  await keys.open();
  await expect(keys.firstKey).toBeVisible();
  await stop("api-keys-empty");
  await dashboard.page.goto(applicationPage);
  const secret = await creation(dashboard, stop);
  await telemetry(dashboard, secret, stop);
  await keys.open();
  await limit(keys, stop);
  await keysOfProject(keys, stop);
  await dashboard.page.goto(applicationPage);
  await revocation(dashboard, stop);
  await endOfSession(dashboard, stop);
}

async function loginPage({ page, continueWithGitHub }: Dashboard, stop: Stop): Promise<void> {
  await page.goto("/login");
  await expect(continueWithGitHub).toBeVisible();
  await stop("login");
}

async function creation(dashboard: Dashboard, stop: Stop): Promise<string> {
  const { createKey, createDialog, createdDialog, closeCheck, page } = dashboard;
  await createKey.click();
  await expect(createDialog.name).toBeFocused();
  await stop("create");
  await createDialog.fill("Web checkout, EU", "Test");
  await stop("create-test-key");
  await createDialog.name.fill("");
  await createDialog.submit.click();
  await expect(createDialog.root.getByText("Enter a name.")).toBeVisible();
  await stop("create-refused");
  await createDialog.name.fill("Web checkout, EU");
  await createDialog.environment("Live").click();
  await createDialog.submit.click();
  const secret = await createdDialog.secret();
  await stop("created", secret);
  await page.keyboard.press("Escape");
  await expect(closeCheck).toBeVisible();
  await stop("close-check", secret);
  await closeCheck.getByRole("button", { name: "Go back and copy" }).click();
  await createdDialog.finish();
  await expect(dashboard.keyRow("Web checkout, EU")).toContainText("Active");
  await dashboard.create("Load test, spring", "Test");
  await stop("keys");
  return secret;
}

async function telemetry(dashboard: Dashboard, key: string, stop: Stop): Promise<void> {
  const { url } = dashboard;
  const requests = [["/cart", 200], ["/cart/42?coupon=SPRING", 201], ["/old-shop", 302], ["/missing", 404], ["/checkout", 500]] as const;
  for (const [path, status] of requests) await sendTrace(url, key, path, status);
  for (const level of ["debug", "info", "warn", "error"]) {
    await sendLog(url, key, level, `Payment of order 42 took a while, so here is a line of level ${level}`);
  }
  await expect(dashboard.telemetryRow("/checkout")).toBeVisible();
  await stop("traces");
  await spans(dashboard, key, stop);
  await dashboard.tab("Logs").click();
  await expect(dashboard.telemetryRow("level error")).toBeVisible();
  await stop("logs");
}

async function spans(dashboard: Dashboard, key: string, stop: Stop): Promise<void> {
  const { page } = dashboard;
  await sendTelemetry(dashboard.url, key);
  const telemetry = new Telemetry(dashboard);
  await telemetry.details("charge card").click();
  await telemetry.details("charge card").scrollIntoViewIfNeeded();
  await stop("traces-open");
  await telemetry.row("charge card").getByRole("link").click();
  await telemetry.details("POST /orders/7").click();
  await telemetry.spans.first().scrollIntoViewIfNeeded();
  await stop("trace");
  await page.getByRole("link", { name: "All traces" }).click();
  await telemetry.search.fill("nowhere");
  await expect(page.getByRole("heading", { name: "No traces match" })).toBeVisible();
  await stop("traces-no-match");
  await page.getByRole("button", { name: "Clear filters" }).click();
}

async function revocation(dashboard: Dashboard, stop: Stop): Promise<void> {
  await dashboard.openAction("Web checkout, EU", "Revoke");
  const dialog = dashboard.revokeDialog("Web checkout, EU");
  await expect(dialog).toBeVisible();
  await stop("revoke");
  await dialog.getByRole("button", { name: "Revoke key" }).click();
  await expect(dashboard.keyRow("Web checkout, EU")).toContainText("Revoked");
  await stop("revoked");
}

async function limit(keys: ApiKeys, stop: Stop): Promise<void> {
  const { createDialog, createKey, dashboard } = keys;
  await createKey.click();
  await expect(createDialog.root.getByRole("listitem")).toHaveCount(2);
  await stop("tier-limit");
  await createDialog.root.getByRole("button", { name: "Revoke… Load test, spring" }).click();
  await expect(dashboard.revokeDialog("Load test, spring")).toBeVisible();
  await stop("tier-limit-revoke");
  await dashboard.revokeDialog("Load test, spring").getByRole("button", { name: "Revoke key" }).click();
  await expect(createDialog.name).toBeVisible();
  await createDialog.expiry("Custom").click();
  await createDialog.advanced.click();
  await createDialog.rateLimit.fill("many");
  await createDialog.networks.fill("10.0.0.0/99");
  await createDialog.submit.click();
  await expect(createDialog.root.getByText("Choose a date in the future.")).toBeVisible();
  await stop("create-every-field-refused");
  await createDialog.cancel.click();
  await expect(createDialog.root).toBeHidden();
}

async function keysOfProject(keys: ApiKeys, stop: Stop): Promise<void> {
  const { dashboard, page } = keys;
  const soon = new Date(Date.now() + 5 * 86_400_000).toISOString();
  await keys.createElsewhere({ name: "Partner sync", rpm: 600, allowed_cidrs: ["203.0.113.0/24"], expires_at: soon });
  await expect(dashboard.keyRow("Partner sync")).toContainText("Expires soon");
  await dashboard.openAction("Web checkout, EU", "Rotate");
  await expect(keys.rotateDialog("Web checkout, EU")).toBeVisible();
  await stop("rotate");
  await page.keyboard.press("Escape");
  const secret = await keys.rotate("Web checkout, EU", "24 hours");
  await expect(dashboard.keyRow("Web checkout, EU")).toContainText("Rotating");
  await stop("api-keys");
  await dashboard.openAction("Web checkout, EU", "Rotate");
  await expect(page.getByText(/^Rotating\. The old secret works/)).toBeVisible();
  await stop("rotate-again");
  await page.keyboard.press("Escape");
  await dashboard.openAction("Partner sync", "Edit");
  await expect(keys.editDialog("Partner sync").root).toBeVisible();
  await stop("edit");
  await page.keyboard.press("Escape");
  await keys.openCheck();
  await keys.check.getByRole("textbox").fill(secret);
  await expect(keys.check.getByRole("listitem")).toBeVisible();
  await stop("is-my-key", secret);
  await keys.check.getByRole("textbox").fill("sk-no-key");
  await stop("is-my-key-malformed");
  await page.keyboard.press("Escape");
  await dashboard.openAction("Load test, spring", "Archive");
  await expect(dashboard.keyRow("Load test, spring")).toBeHidden();
  await keys.showArchived.click();
  await expect(dashboard.keyRow("Load test, spring")).toContainText("Archived");
  await stop("api-keys-archived");
  await keys.search.fill("chekout");
  await expect(page.getByText("No keys match “chekout”")).toBeVisible();
  await stop("api-keys-no-match");
  await page.goto(`/projects/${dashboard.projectId}/settings/plan`);
  await expect(page.getByRole("table", { name: "Keys in use" })).toBeVisible();
  await stop("plan");
}

/** Who is on the settings pages: the user, and a colleague who joins them in a browser of their own. */
export interface Company {
  person: Person;
  colleague: Person;
  elsewhere: Dashboard;
}

/** Goes past the settings of somebody's first project, which the dashboard shows. */
export async function settingsScreenshots(dashboard: Dashboard, { person, colleague, elsewhere }: Company, stop: Stop): Promise<void> {
  const { page, projectId } = dashboard;
  const members = new Members(dashboard, projectId);
  await members.open();
  await members.join(colleague, elsewhere, "Admin");
  await members.inviteAs("Viewer", "a-colleague-with-a-very-long-login-name");
  await expect(members.row(colleague)).toContainText("just now");
  await page.reload();
  await expect(members.row(colleague)).toContainText("just now");
  await stop("members");
  await members.invite.click();
  await members.login.fill("not a login");
  await members.submit.click();
  await expect(members.inviteDialog.getByText(/^Enter a GitHub username/)).toBeVisible();
  await stop("members-invite");
  await page.keyboard.press("Escape");
  await members.openAction(colleague, "Remove…");
  await expect(members.confirm(`Remove ${colleague.name}?`)).toBeVisible();
  await stop("members-remove");
  await page.keyboard.press("Escape");
  await members.openAction(person, "Leave organization…");
  await expect(page.getByRole("alertdialog")).toBeVisible();
  await stop("members-last-owner");
  await page.keyboard.press("Escape");
  await members.give("Viewer", colleague);
  // The list shows the new role before the server has it.
  await expect(page.getByText(`${colleague.name} is now a viewer`)).toBeVisible();
  const theirs = members.seenIn(elsewhere);
  await theirs.open();
  await expect(theirs.page.getByText("You can view members, not change them.")).toBeVisible();

  await openSettings(dashboard, projectId, "organization");
  await expect(page.getByRole("textbox", { name: "Organization name" })).toBeVisible();
  await stop("organization");
  await page.getByRole("button", { name: "Delete organization…" }).click();
  await expect(page.getByRole("alertdialog")).toBeVisible();
  await stop("organization-delete");
  await page.keyboard.press("Escape");

  const keys = new ServiceKeys(dashboard);
  await keys.open();
  await expect(page.getByRole("heading", { name: "No service keys" })).toBeVisible();
  await stop("service-keys-empty");
  await keys.createKey.click();
  await keys.submit.click();
  await expect(keys.dialog.getByText("Choose at least one permission.")).toBeVisible();
  await stop("service-keys-create");
  await page.keyboard.press("Escape");
  await keys.create("Billing backend", ["keys:read", "keys:write", "keys:verify", "usage:read"]);
  await keys.create("Nightly report", ["usage:read"]);
  await dashboard.revoke("Nightly report");
  await stop("service-keys");

  await page.goto("/settings/sessions");
  await expect(page.getByText("This device")).toBeVisible();
  await elsewhere.signOut();
  await elsewhere.signIn(person.login);
  const other = page.getByRole("button", { name: /^End session/ });
  await expect(other).toBeVisible();
  await stop("sessions");
  await page.getByRole("button", { name: "Sign out everywhere else…" }).click();
  await expect(page.getByRole("alertdialog")).toBeVisible();
  await stop("sessions-end-others");
}

async function endOfSession(dashboard: Dashboard, stop: Stop): Promise<void> {
  const token = (await dashboard.token()) ?? "";
  await call(`${dashboard.url}/logout`, "POST", { authorization: `Bearer ${token}` });
  await dashboard.page.reload();
  await dashboard.page.waitForURL(/\/login\?(.*&)?reason=session_expired/);
  await expect(dashboard.page.getByText("Your session expired. Sign in to continue.")).toBeVisible();
  await stop("session-expired");
}
