// A server without GitHub credentials on loopback, as `make run` starts it.
import { expect, test } from "../support/fixtures.ts";

test.use({ settings: { github: false, accessTokenTtl: 900 } });

test("the local developer signs in and has a working key", async ({ dashboard, page }) => {
  await page.goto("/login");
  await expect(dashboard.continueWithGitHub).toBeHidden();
  await page.getByRole("button", { name: "Continue as local developer" }).click();
  await expect(page).toHaveURL(/\/projects\/my-project-prj_\w+\/applications$/);
  await dashboard.openApplication();
  expect(await dashboard.create("First key")).toMatch(/^lk_live_[0-9A-Za-z]{38}$/);
});

test("the local developer comes back to the same project", async ({ dashboard, page }) => {
  const projects = new Set<string>();
  for (let i = 0; i < 2; i++) {
    await page.goto("/login");
    await page.getByRole("button", { name: "Continue as local developer" }).click();
    await expect(page).toHaveURL(/\/projects\/my-project-prj_\w+\/applications$/);
    projects.add(new URL(page.url()).pathname);
    await dashboard.signOut();
  }
  expect(projects.size).toBe(1);
});

test("a page leads to the local sign-in and back", async ({ dashboard, page, watch }) => {
  watch.allowStatus(401, /^\/(refresh$|api\/)/);
  await page.goto("/login");
  await page.getByRole("button", { name: "Continue as local developer" }).click();
  await dashboard.openApplication();
  const link = page.url();
  await dashboard.signOut();
  await page.goto(link);
  await page.getByRole("button", { name: "Continue as local developer" }).click();
  await expect(page).toHaveURL(link);
});
