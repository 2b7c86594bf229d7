// The page's WebAssembly comes in pieces (docs/decisions/006-first-load.md): who fetches which, and what a
// person sees when one doesn't arrive.
import { setTimeout as sleep } from "node:timers/promises";
import type { Page } from "@playwright/test";
import { expect, test } from "../support/fixtures.ts";
import type { Watch } from "../support/watch.ts";

const DASHBOARD = /\/pkg\/split_dashboard[^/]*\.wasm$/;
const SHARED = /\/pkg\/chunk_[^/]*\.wasm$/;
const SIGN_IN = /\/pkg\/split_sign_in[^/]*\.wasm$/;

/** From now on the dashboard's piece can't be fetched. The answer lets it through again. */
async function cutOff(page: Page, watch: Watch): Promise<() => Promise<void>> {
  watch.allowFailure(DASHBOARD);
  // What the loader of the pieces says of it.
  watch.allowConsole(/^TypeError: Failed to fetch/);
  await page.route(DASHBOARD, (route) => route.abort("internetdisconnected"));
  return () => page.unroute(DASHBOARD);
}

test("somebody who isn’t signed in never fetches the dashboard", async ({ dashboard, person, page }) => {
  const fetched: string[] = [];
  page.on("request", (request) => fetched.push(new URL(request.url()).pathname));
  const pieces = (piece: RegExp): string[] => fetched.filter((path) => piece.test(path));

  await page.goto("/");
  await page.waitForURL(/\/login$/);
  await expect(dashboard.continueWithGitHub).toBeVisible();
  await page.waitForLoadState("networkidle");
  expect(pieces(SIGN_IN)).not.toEqual([]);
  expect(pieces(DASHBOARD)).toEqual([]);

  // Signed in they do: the name above is the right one.
  await dashboard.signIn(person.login, "/");
  await expect(dashboard.heading("Applications")).toBeVisible();
  expect(pieces(DASHBOARD)).not.toEqual([]);
});

test("a page that can’t be fetched after signing in is told of, and comes with the network", async ({ dashboard, person, page, watch }) => {
  const reconnect = await cutOff(page, watch);
  await page.goto("/login");
  await dashboard.continueWithGitHub.click();
  await dashboard.gitHubAccount(person.login).click();
  const told = page.getByRole("alert").filter({ hasText: "Couldn’t load this page. Trying again…" });
  await expect(told).toHaveCount(1);
  await expect(told.getByRole("button", { name: "Reload" })).toBeVisible();
  await expect(page.getByText("Signing you in…")).toBeVisible();

  await page.evaluate(() => (document.body.dataset.met = "before"));
  await reconnect();
  await expect(dashboard.heading("Applications")).toBeVisible();
  await expect(told).toHaveCount(0);
  expect(await page.evaluate(() => document.body.dataset.met), "it came without a reload").toBe("before");
});

test("a first page that can’t be fetched is told of, and comes to life with the network", async ({ application, page, watch }) => {
  const reconnect = await cutOff(page, watch);
  // What the pieces share arrives after the failure, which must not go uncaught meanwhile.
  await page.route(SHARED, async (route) => {
    await sleep(500);
    await route.continue();
  });
  await page.reload();
  const told = page.getByRole("alert").filter({ hasText: "Couldn’t load this page. Trying again…" });
  await expect(told).toHaveCount(1);

  await page.evaluate(() => (document.body.dataset.met = "before"));
  await reconnect();
  await expect(application.createKey).toBeEnabled();
  await expect(told).toHaveCount(0);
  await application.create("Web checkout");
  expect(await page.evaluate(() => document.body.dataset.met), "it came without a reload").toBe("before");
});
