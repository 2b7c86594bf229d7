// A server without GitHub credentials on loopback, as `make run` starts it.
import { expect, test } from "../support/fixtures.ts";
import { LOCAL_CODE, LOCAL_SIGN_IN } from "../support/server.ts";

test.use({ settings: { github: false, accessTokenTtl: 900 } });
// Wrong codes are counted for the whole server.
test.describe.configure({ mode: "serial" });

const APPLICATIONS = /\/projects\/my-project-prj_\w+\/applications$/;

test("the link signs in, and the code does not stay in the address", async ({ dashboard, page }) => {
  const addresses: string[] = [];
  page.on("request", (request) => addresses.push(request.url().split("#")[0] ?? "", request.headers().referer ?? ""));
  await page.goto(LOCAL_SIGN_IN);
  await expect(page).toHaveURL(APPLICATIONS);
  expect(addresses.filter((address) => address.includes(encodeURIComponent(LOCAL_CODE)))).toEqual([]);
  await dashboard.openApplication();
  expect(await dashboard.create("First key")).toMatch(/^lk_live_[0-9A-Za-z]{38}$/);
});

test("without the link, the page says where the code is and takes it", async ({ dashboard, page }) => {
  await page.goto("/login");
  await expect(dashboard.continueWithGitHub).toBeHidden();
  await expect(page.getByText("The server’s log shows it as a link when it starts.")).toBeVisible();
  await dashboard.continueWithCode();
  await expect(page).toHaveURL(APPLICATIONS);
});

test("a link that is opened on the login page signs in too", async ({ page }) => {
  await page.goto("/login");
  await page.goto(LOCAL_SIGN_IN);
  await expect(page).toHaveURL(APPLICATIONS);
});

test("the local developer comes back to the same project", async ({ dashboard, page }) => {
  const projects = new Set<string>();
  for (let i = 0; i < 2; i++) {
    await page.goto("/login");
    await dashboard.continueWithCode();
    await expect(page).toHaveURL(APPLICATIONS);
    projects.add(new URL(page.url()).pathname);
    await dashboard.signOut();
  }
  expect(projects.size).toBe(1);
});

test("a page leads to the local sign-in and back", async ({ dashboard, page, watch }) => {
  watch.allowStatus(401, /^\/(refresh$|api\/)/);
  await page.goto("/login");
  await dashboard.continueWithCode();
  await dashboard.openApplication();
  const link = page.url();
  await dashboard.signOut();
  await page.goto(link);
  await dashboard.continueWithCode();
  await expect(page).toHaveURL(link);
});

test("a wrong code is refused in words, and too many are held up", async ({ dashboard, page }) => {
  await page.goto("/login#code=wrong");
  await expect(page).toHaveURL(/\/login\?reason=wrong_code/);
  await expect(page.getByRole("alert")).toContainText("That code isn’t right.");
  for (let i = 0; i < 4; i++) {
    await Promise.all([page.waitForEvent("load"), dashboard.continueWithCode("wrong again")]);
  }
  await dashboard.continueWithCode();
  await expect(page).toHaveURL(/\/login\?reason=too_many_codes/);
  await expect(page.getByRole("alert")).toContainText("Too many wrong codes.");
});
