// Access tokens that live for seconds, where they live for a quarter of an hour otherwise.
import { whoAmI } from "../support/api.ts";
import { expect, test } from "../support/fixtures.ts";

test.use({ settings: { github: true, accessTokenTtl: 3 } });

test("an expired token is renewed without a word", async ({ application, page }) => {
  const expired = (await application.token()) ?? "";
  // From here on: the page may be renewing its token already when the poll below sees that it has expired.
  const renewals: string[] = [];
  page.on("request", (request) => {
    if (new URL(request.url()).pathname === "/refresh") renewals.push(request.method());
  });
  await expect.poll(() => whoAmI(application.url, expired), { timeout: 15_000 }).toBe(401);
  const where = page.url();
  // As it was before it expired, whatever the page has renewed in the meantime.
  await application.setToken(expired);
  await application.createKey.click();
  await application.createDialog.fill("Made after the expiry", "Live");
  await application.createDialog.submit.click();
  await application.createdDialog.secret();
  expect(renewals.length).toBeGreaterThan(0);
  expect(page.url()).toBe(where);
  expect(await application.token()).not.toBe(expired);
});
