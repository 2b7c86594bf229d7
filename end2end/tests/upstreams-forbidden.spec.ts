// The upstreams are for administrators of the instance, which people who sign in with GitHub are not by default.
import { expect, test } from "../support/fixtures.ts";

test("others have no link to the upstreams, and the page says why", async ({ application, page, watch }) => {
  await application.openAccountMenu();
  await expect(page.getByRole("menuitem", { name: "Sessions" })).toBeVisible();
  await expect(page.getByRole("menuitem", { name: "Upstreams" })).toHaveCount(0);
  watch.allowStatus(403, /^\/api\/upstreams\/list$/);
  await page.goto("/settings/upstreams");
  await expect(page.getByRole("heading", { name: "Only administrators can see the upstreams" })).toBeVisible();
});
