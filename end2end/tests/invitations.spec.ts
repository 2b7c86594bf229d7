// What a person is invited to, on their own pages.
import { expect, test } from "../support/fixtures.ts";

test("what waits is told on every page until it is answered", async ({ members, person, colleague, elsewhere }) => {
  await elsewhere.signIn(colleague.login);
  const bar = elsewhere.page.getByRole("status").filter({ hasText: `@${person.login} invites you to ` });
  await expect(bar).toHaveCount(0);
  await members.inviteAs("Admin", colleague.login);
  await elsewhere.page.reload();
  await expect(bar).toBeVisible();
  await bar.getByRole("link", { name: "View invitations" }).click();
  await expect(elsewhere.heading("Invitations")).toBeFocused();
  await expect(bar, "the page itself says it").toHaveCount(0);
  const row = elsewhere.page.getByRole("table", { name: "Invitations" }).getByRole("row").filter({ hasText: `@${person.login}` });
  await expect(row).toContainText("Admin");
  await row.getByRole("button", { name: "Accept the invitation of" }).click();
  await expect(elsewhere.page.getByRole("status").filter({ hasText: "You joined " })).toBeVisible();
  await expect(elsewhere.page.getByRole("heading", { name: "No invitations" })).toBeVisible();
});

test("an invitation that was taken back meanwhile says so", async ({ members, colleague, elsewhere, watch }) => {
  await elsewhere.signIn(colleague.login);
  await members.inviteAs("Viewer", colleague.login);
  // Their page goes on with what it saw first.
  let seen: string | undefined;
  await elsewhere.page.route(/\/api\/invitations\/list/, async (route) => {
    seen ??= await (await route.fetch()).text();
    await route.fulfill({ contentType: "application/json", body: seen });
  });
  await members.seenIn(elsewhere).openInvitations();
  const accept = elsewhere.page.getByRole("button", { name: "Accept the invitation of" });
  await expect(accept).toBeVisible();
  await members.row(colleague).getByRole("button", { name: `Cancel invite of @${colleague.login}` }).click();
  await expect(members.toast("Invite cancelled")).toBeVisible();
  watch.allowStatus(404, /^\/api\/invitations\/accept$/);
  await accept.click();
  await expect(elsewhere.page.getByRole("alert").filter({ hasText: "This invitation was withdrawn, or already answered." })).toBeVisible();
  await elsewhere.page.unrouteAll();
});

test("invitations that can't be loaded are told of, and tried again", async ({ application, page, watch }) => {
  watch.allowStatus(500, /^\/api\/invitations\/list$/);
  const problem = { type: "about:blank", title: "Internal Server Error", status: 500, code: "internal", detail: "It failed.", request_id: "req_test" };
  await page.route(/\/api\/invitations\/list/, (route) => route.fulfill({ status: 500, json: problem }));
  await page.goto("/settings/invitations");
  await expect(page.getByRole("heading", { name: "Couldn’t load your invitations" })).toBeVisible();
  await page.unrouteAll();
  await page.getByRole("button", { name: "Try again" }).click();
  await expect(page.getByRole("heading", { name: "No invitations" })).toBeVisible();
  await expect(application.heading("Invitations")).toBeVisible();
  await expect(page).toHaveTitle("Invitations · Latchkey");
});
