import { whoAmI } from "../support/api.ts";
import { Dashboard } from "../support/dashboard.ts";
import { expect, test } from "../support/fixtures.ts";

test("somebody signs in with GitHub and finds a project with an application", async ({ dashboard, person, page }) => {
  await dashboard.signIn(person.login);
  await expect(page).toHaveURL(/\/projects\/my-project-prj_\w+\/applications$/);
  await expect(dashboard.heading("Applications")).toBeVisible();
  await dashboard.openApplication();
});

test("no token and no code stands in an address of the dashboard", async ({ dashboard, person, page, latchkey }) => {
  const addresses: string[] = [];
  page.on("framenavigated", (frame) => addresses.push(frame.url()));
  await dashboard.signIn(person.login);
  const token = await dashboard.token();
  expect(token).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/);
  const ours = addresses.filter((address) => address.startsWith(latchkey.url));
  expect(ours.length).toBeGreaterThan(1);
  for (const address of ours) expect(address).not.toMatch(/token=|code=|eyJ/);
});

test("the refresh token is out of reach of scripts and other sites", async ({ dashboard, person, page }) => {
  await dashboard.signIn(person.login);
  const cookies = await page.context().cookies(`${dashboard.url}/refresh`);
  const refresh = cookies.find((cookie) => cookie.path === "/refresh");
  expect(refresh).toMatchObject({ httpOnly: true, sameSite: "Strict" });
  expect(await page.evaluate(() => document.cookie)).not.toContain(refresh?.name ?? "");
});

test("the API's reference is one click away", async ({ page }) => {
  await page.goto("/login");
  await page.getByRole("link", { name: "Docs" }).click();
  await expect(page).toHaveURL(/\/docs\//);
  await expect(page.getByRole("heading", { level: 1, name: /Latchkey/ })).toBeVisible();
});

test("a cancelled sign-in says so and can be tried again", async ({ dashboard, person, page }) => {
  await page.goto("/login");
  await dashboard.continueWithGitHub.click();
  await page.getByRole("link", { name: "Cancel" }).click();
  await expect(page).toHaveURL(/\/login\?(.*&)?reason=access_denied/);
  await expect(page.getByText("GitHub sign-in was cancelled. Try again when you’re ready.")).toBeVisible();
  await dashboard.continueWithGitHub.click();
  await dashboard.gitHubAccount(person.login).click();
  await expect(dashboard.heading("Applications")).toBeVisible();
});

test("a sign-in that GitHub fails says so", async ({ dashboard, person, page, github }) => {
  for (const at of ["token", "user"] as const) {
    await github.failNext({ at, status: 502 });
    await page.goto("/login");
    await dashboard.continueWithGitHub.click();
    await dashboard.gitHubAccount(person.login).click();
    await expect(page).toHaveURL(/\/login\?(.*&)?reason=/);
    await expect(page.getByText("Sign-in didn’t finish. Try again.")).toBeVisible();
  }
});

test("a link to a page leads there after signing in", async ({ application, person, page, browser, watch }) => {
  const link = new URL(page.url());
  expect(link.pathname).toMatch(/^\/projects\/my-project-prj_\w+\/applications\/my-application-app_\w+$/);
  link.searchParams.set("tab", "logs");
  const context = await browser.newContext();
  await watch.over(context);
  // Somebody who is not signed in has no session to renew.
  watch.allowStatus(401, /^\/(refresh$|api\/)/);
  const stranger = new Dashboard(await context.newPage(), application.url);
  await stranger.page.goto(link.href);
  await stranger.page.waitForURL(/\/login\?/);
  expect(new URL(stranger.page.url()).searchParams.get("next")).toBe(`${link.pathname}${link.search}`);
  await expect(stranger.page.getByText("Your session expired")).toBeHidden();
  await stranger.continueWithGitHub.click();
  await stranger.gitHubAccount(person.login).click();
  await expect(stranger.page).toHaveURL(link.href);
  await expect(stranger.tab("Logs")).toHaveAttribute("aria-selected", "true");
  await context.close();
});

test("a link with a foreign next stays on this server", async ({ dashboard, person, page }) => {
  for (const next of ["//evil.example/", "https://evil.example/", "/\\evil.example"]) {
    await page.goto(`/login?next=${encodeURIComponent(next)}`);
    await dashboard.continueWithGitHub.click();
    await dashboard.gitHubAccount(person.login).click();
    await expect(page).toHaveURL(/\/projects\/my-project-prj_\w+\/applications$/);
    await dashboard.signOut();
  }
});

test("signing out ends the session at once", async ({ application, page, watch }) => {
  const link = page.url();
  const token = (await application.token()) ?? "";
  expect(await whoAmI(application.url, token)).toBe(200);
  await application.signOut();
  await expect(page.getByText("You’re signed out.")).toBeVisible();
  expect(await application.token()).toBeNull();
  expect(await whoAmI(application.url, token)).toBe(401);
  watch.allowStatus(401, /^\/(refresh$|api\/)/);
  await page.goto(link);
  await expect(page).toHaveURL(/\/login/);
});
