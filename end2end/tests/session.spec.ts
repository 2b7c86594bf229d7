// How long a person stays signed in, and what they see when that ends.
import { call, whoAmI } from "../support/api.ts";
import { expect, test } from "../support/fixtures.ts";

test("a token that was tampered with is replaced by a good one, once", async ({ application, page, watch }) => {
  watch.allowStatus(401, /^\/api\//);
  const renewals: number[] = [];
  page.on("response", (response) => {
    if (new URL(response.url()).pathname === "/refresh") renewals.push(response.status());
  });
  const good = (await application.token()) ?? "";
  const [header, , signature] = good.split(".");
  const claims = Buffer.from(JSON.stringify({ sub: "usr_other", exp: 4102444800 })).toString("base64url");
  for (const bad of [`${header}.${claims}.${signature}`, "no token at all", good.slice(0, -4)]) {
    renewals.length = 0;
    await application.setToken(bad);
    await page.reload();
    await expect(application.createKey).toBeEnabled();
    expect(renewals).toEqual([200]);
    expect(await whoAmI(application.url, (await application.token()) ?? "")).toBe(200);
  }
});

test("an ended session leads to the login page, which says so, and back", async ({ application, person, page, watch }) => {
  watch.allowStatus(401, /^\/(refresh$|api\/)/);
  await application.tab("Logs").click();
  await expect(page).toHaveURL(/tab=logs/);
  const where = new URL(page.url());
  const token = (await application.token()) ?? "";
  // As if the person had signed out in another browser that shares nothing but the session.
  await call(`${application.url}/logout`, "POST", { authorization: `Bearer ${token}` });
  await page.reload();
  await page.waitForURL(/\/login\?/);
  const { searchParams } = new URL(page.url());
  expect(searchParams.get("reason")).toBe("session_expired");
  expect(searchParams.get("next")).toBe(`${where.pathname}${where.search}`);
  await expect(page.getByText("Your session expired. Sign in to continue.")).toBeVisible();
  expect(await application.token()).toBeNull();
  await application.continueWithGitHub.click();
  await application.gitHubAccount(person.login).click();
  await expect(page).toHaveURL(where.href);
  await expect(application.createKey).toBeEnabled();
});

test("a session that ends under an open page is noticed by the next action", async ({ application, page, watch }) => {
  watch.allowStatus(401, /^\/(refresh$|api\/)/);
  const token = (await application.token()) ?? "";
  await application.createKey.click();
  await application.createDialog.fill("Too late", "Live");
  await call(`${application.url}/logout`, "POST", { authorization: `Bearer ${token}` });
  // The list's own refresh may notice first; either way the person is told.
  await application.createDialog.submit.click({ timeout: 2_000 }).catch(() => undefined);
  await page.waitForURL(/\/login\?(.*&)?reason=session_expired/);
  await expect(page.getByText("Your session expired. Sign in to continue.")).toBeVisible();
});

test("two tabs that renew at once both stay signed in", async ({ application, page, watch }) => {
  watch.allowStatus(401, /^\/api\//);
  const other = await page.context().newPage();
  await other.goto(page.url());
  await expect(other.getByRole("heading", { level: 1 })).toBeVisible();
  await application.setToken("expired");
  await Promise.all([page.reload(), other.reload()]);
  for (const tab of [page, other]) {
    await expect(tab.getByRole("main").getByRole("button", { name: "Generate API key" })).toBeEnabled();
  }
});
