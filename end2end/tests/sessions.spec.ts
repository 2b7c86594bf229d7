// Where a person is signed in, seen and ended from any of the places.
import type { Dashboard } from "../support/dashboard.ts";
import { expect, test } from "../support/fixtures.ts";
import { tabTo } from "../support/keyboard.ts";

async function openSessions(dashboard: Dashboard): Promise<void> {
  await dashboard.openAccountMenu();
  await dashboard.page.getByRole("menuitem", { name: "Sessions" }).click();
  await expect(dashboard.heading("Sessions")).toBeFocused();
}

const rows = ({ page }: Dashboard) => page.getByRole("table", { name: "Sessions" }).getByRole("row").filter({ hasText: "on Linux" });

test("a second browser is listed and ended, and its next action leads to the login page", async ({ application, person, elsewhere, watch }) => {
  await openSessions(application);
  await expect(rows(application)).toHaveCount(1);
  await expect(application.page.getByRole("button", { name: "Sign out everywhere else…" })).toHaveCount(0);

  await elsewhere.signIn(person.login);
  await elsewhere.openApplication();
  await elsewhere.createKey.click();
  await elsewhere.createDialog.fill("Too late", "Live");
  await expect(rows(application)).toHaveCount(2);
  const own = rows(application).filter({ hasText: "This device" });
  await expect(own).toContainText("Chrome on Linux");
  await expect(own).toContainText("127.0.0.1");
  await expect(own).toContainText("Now");
  const other = rows(application).filter({ hasNotText: "This device" });
  await expect(other).toContainText("just now");

  watch.allowStatus(401, /^\/(refresh$|api\/)/);
  await other.getByRole("button", { name: /^End session/ }).click();
  await expect(application.page.getByRole("status").filter({ hasText: "Session ended" })).toBeVisible();
  await expect(rows(application)).toHaveCount(1);
  await expect(application.heading("Sessions"), "the focus is not lost with its button").toBeFocused();
  // The list's own refresh may notice first; either way the person is told.
  await elsewhere.createDialog.submit.click({ timeout: 2_000 }).catch(() => undefined);
  await elsewhere.page.waitForURL(/\/login\?(.*&)?reason=session_expired/);
  await expect(elsewhere.page.getByText("Your session expired. Sign in to continue.")).toBeVisible();
  await application.page.reload();
  await expect(own, "this one stands").toBeVisible();
});

test("everything else is signed out at once, by keyboard alone", async ({ application, person, elsewhere, page, watch }) => {
  await elsewhere.signIn(person.login);
  await openSessions(application);
  await expect(rows(application)).toHaveCount(2);
  await tabTo(page, page.getByRole("button", { name: "Sign out everywhere else…" }));
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("alertdialog", { name: "Sign out everywhere else?" });
  await expect(dialog).toContainText("1 other session ends immediately. You stay signed in here.");
  await expect(dialog.getByRole("button", { name: "Cancel" })).toBeFocused();
  watch.allowStatus(401, /^\/(refresh$|api\/)/);
  await tabTo(page, dialog.getByRole("button", { name: "Sign out everywhere else" }));
  await page.keyboard.press("Enter");
  await expect(page.getByRole("status").filter({ hasText: "Signed out everywhere else" })).toBeVisible();
  await expect(rows(application)).toHaveCount(1);
  await expect(application.heading("Sessions"), "its opener is gone").toBeFocused();
  await elsewhere.page.reload();
  await elsewhere.page.waitForURL(/\/login\?(.*&)?reason=session_expired/);
});

test("ending the session of this browser signs out", async ({ application, page, watch }) => {
  await openSessions(application);
  watch.allowStatus(401, /^\/api\//);
  await rows(application).getByRole("button", { name: /^Sign out/ }).click();
  await page.waitForURL(/\/login\?reason=signed_out/);
  await expect(page.getByText("You’re signed out.")).toBeVisible();
});

test("sessions that can't be loaded are told of, and tried again", async ({ application, page, watch }) => {
  watch.allowStatus(500, /^\/api\/sessions\/list$/);
  const problem = { type: "about:blank", title: "Internal Server Error", status: 500, code: "internal", detail: "It failed.", request_id: "req_test" };
  await page.route(/\/api\/sessions\/list/, (route) => route.fulfill({ status: 500, json: problem }));
  await page.goto("/settings/sessions");
  await expect(page.getByRole("heading", { name: "Couldn’t load your sessions" })).toBeVisible();
  await page.unrouteAll();
  await page.getByRole("button", { name: "Try again" }).click();
  await expect(rows(application)).toHaveCount(1);
  await expect(page).toHaveTitle("Sessions · Latchkey");
});
