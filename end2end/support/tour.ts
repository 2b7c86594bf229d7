// A walk past every page and dialog, in every state that a person meets: for the screenshots, and for what
// must hold everywhere.
import { expect } from "@playwright/test";
import { call, sendLog, sendTrace } from "./api.ts";
import type { Dashboard } from "./dashboard.ts";

/** Called at each stop; `secret` is set where a secret is on the page. */
export type Stop = (name: string, secret?: string) => Promise<void>;

/** Goes from the login page to the end of the session. Leaves the dashboard on the login page. */
export async function tour(dashboard: Dashboard, login: string, stop: Stop): Promise<void> {
  await loginPage(dashboard, stop);
  await dashboard.signIn(login);
  await expect(dashboard.page.getByRole("main").getByRole("link", { name: "My application" })).toBeVisible();
  await stop("applications");
  await dashboard.openApplication();
  await stop("application-empty");
  const secret = await creation(dashboard, stop);
  await telemetry(dashboard, secret, stop);
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
  await dashboard.tab("Logs").click();
  await expect(dashboard.telemetryRow("level error")).toBeVisible();
  await stop("logs");
}

async function revocation(dashboard: Dashboard, stop: Stop): Promise<void> {
  await dashboard.revokeButton("Web checkout, EU").click();
  const dialog = dashboard.revokeDialog("Web checkout, EU");
  await expect(dialog).toBeVisible();
  await stop("revoke");
  await dialog.getByRole("button", { name: "Revoke key" }).click();
  await expect(dashboard.keyRow("Web checkout, EU")).toContainText("Revoked");
  await stop("revoked");
}

async function endOfSession(dashboard: Dashboard, stop: Stop): Promise<void> {
  const token = (await dashboard.token()) ?? "";
  await call(`${dashboard.url}/logout`, "POST", { authorization: `Bearer ${token}` });
  await dashboard.page.reload();
  await dashboard.page.waitForURL(/\/login\?(.*&)?reason=session_expired/);
  await expect(dashboard.page.getByText("Your session expired. Sign in to continue.")).toBeVisible();
  await stop("session-expired");
}
