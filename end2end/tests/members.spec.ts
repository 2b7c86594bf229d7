// Who is in an organization: invited, given a role, removed, and never without an owner.
import { expect, test } from "../support/fixtures.ts";
import { tabTo } from "../support/keyboard.ts";

test("somebody who is invited signs in with GitHub, accepts and is a member", async ({ members, person, colleague, elsewhere }) => {
  await members.inviteAs("Admin", `@${colleague.login.toUpperCase()}`);
  await expect(members.toast("Member invited")).toBeVisible();
  const waiting = members.table.getByRole("row").filter({ hasText: "Not accepted yet" });
  await expect(waiting).toContainText(`@${colleague.login.toUpperCase()}`);
  await expect(waiting).toContainText(`Invited by @${person.login}, just now`);
  await expect(waiting).toContainText("Admin");

  await elsewhere.signIn(colleague.login);
  await expect(elsewhere.page.getByText(`@${person.login} invites you to `)).toBeVisible();
  await expect(members.row({ login: colleague.login.toUpperCase() }), "nobody is told who they are").toBeVisible();
  const theirs = members.seenIn(elsewhere);
  await theirs.accept();
  await theirs.open();
  await expect(theirs.row(colleague)).toContainText("You");
  await expect(theirs.row(colleague)).toContainText("Now");
  await expect(theirs.invite, "an admin may invite").toBeVisible();

  // The page of who invited them notices by itself.
  await expect(waiting).toHaveCount(0);
  await expect(members.row(colleague)).toContainText(`${colleague.name}`);
  await expect(members.row(colleague)).toContainText("just now");
  await expect(members.role(colleague)).toContainText("Admin");
});

test("somebody who has signed in before is asked too, and may decline", async ({ members, colleague, elsewhere }) => {
  await elsewhere.signIn(colleague.login);
  await members.inviteAs("Viewer", colleague.login);
  await expect(members.toast("Member invited")).toBeVisible();
  await expect(members.row(colleague)).toContainText("Not accepted yet");
  const theirs = members.seenIn(elsewhere);
  await theirs.openInvitations();
  await theirs.page.getByRole("button", { name: "Decline the invitation of" }).click();
  await expect(theirs.toast("Invitation declined")).toBeVisible();
  await expect(theirs.page.getByRole("heading", { name: "No invitations" })).toBeVisible();
  await expect(members.row(colleague)).toHaveCount(0);
});

test("a role is saved at once, and holds with the next request", async ({ members, colleague, elsewhere, watch }) => {
  const theirs = await members.join(colleague, elsewhere);
  await expect(theirs.invite).toBeHidden();
  await members.give("Admin", colleague);
  await expect(members.toast(`${colleague.name} is now an admin`)).toBeVisible();
  await theirs.page.reload();
  await expect(theirs.invite).toBeVisible();
  await members.give("Viewer", colleague);
  await expect(members.toast(`${colleague.name} is now a viewer`)).toBeVisible();
  await members.page.reload();
  await expect(members.role(colleague)).toContainText("Viewer");

  // Their page has the button still; the server refuses, and says so.
  watch.allowStatus(403, /^\/api\/members\/invite$/);
  await theirs.invite.click();
  await theirs.login.fill("octocat");
  await theirs.submit.click();
  await expect(theirs.inviteDialog.getByRole("alert")).toContainText("Only owners and admins can change members.");
});

test("a removed member's open page loses access at once", async ({ members, colleague, elsewhere, watch }) => {
  await members.join(colleague, elsewhere);
  await elsewhere.page.goto(`/projects/${members.projectId}/keys`);
  await expect(elsewhere.page.getByRole("heading", { name: "Create your first key" })).toBeVisible();
  const token = await elsewhere.token();

  await members.openAction(colleague, "Remove…");
  const dialog = members.confirm(`Remove ${colleague.name}?`);
  await expect(dialog).toContainText("They lose access to");
  await expect(dialog).toContainText("immediately. Keys they created keep working.");
  await expect(dialog.getByRole("button", { name: "Cancel" })).toBeFocused();
  watch.allowStatus(404, /^\/api\//);
  await dialog.getByRole("button", { name: "Remove member" }).click();
  await expect(members.toast("Member removed")).toBeVisible();
  await expect(members.row(colleague)).toHaveCount(0);

  // Their token has not expired, and opens nothing here.
  const theirs = members.seenIn(elsewhere);
  expect((await theirs.api("GET", `/v1/projects/${members.projectId}/keys`)).status).toBe(404);
  expect(await elsewhere.token()).toBe(token);
  await expect(elsewhere.page.getByText("This page doesn’t exist, or you don’t have access to it.")).toBeVisible();
  await elsewhere.page.getByRole("button", { name: "Switch project" }).first().click();
  await expect(elsewhere.page.getByRole("menuitem", { name: /keys$/ }), "their own project alone").toHaveCount(1);
});

test("the last owner can be neither demoted nor leave", async ({ members, person, colleague, elsewhere, watch }) => {
  const theirs = await members.join(colleague, elsewhere, "Admin");
  await expect(members.role(person)).toHaveCount(0);
  await expect(members.row(person)).toContainText("An organization needs an owner.");
  await members.openAction(person, "Leave organization…");
  const dialog = members.page.getByRole("alertdialog", { name: /^You can’t leave / });
  await expect(dialog).toContainText("You’re its last owner. Make somebody else an owner first, or delete the organization.");
  await dialog.getByRole("button", { name: "Close", exact: true }).click();
  const { organization, user } = await members.ids(person);
  const path = `/v1/organizations/${organization}/members/${user}`;
  expect((await members.api("PATCH", path, { role: "admin" })).body).toMatchObject({ status: 409, code: "last_owner" });
  expect((await members.api("DELETE", path)).body).toMatchObject({ status: 409, code: "last_owner" });
  // An admin has no say over owners.
  await expect(theirs.row(person)).toContainText("Only an owner can change an owner’s role.");
  await expect(theirs.actions(person)).toHaveCount(0);

  // With a second owner, both may go; but not when the other one went a moment ago.
  await members.give("Owner", colleague);
  await expect(members.toast(`${colleague.name} is now an owner`)).toBeVisible();
  await members.openAction(person, "Leave organization…");
  const leave = members.page.getByRole("alertdialog", { name: /^Leave / });
  await expect(leave).toContainText("You lose access to");
  await theirs.page.reload();
  await theirs.give("Admin", colleague);
  await expect(theirs.toast(`${colleague.name} is now an admin`)).toBeVisible();
  watch.allowStatus(409, /^\/api\/members\//);
  await leave.getByRole("button", { name: "Leave organization" }).click();
  await expect(members.failure("Make another member an owner first.")).toBeVisible();
  await expect(members.row(person)).toContainText("You");
});

test("an owner hands over and leaves", async ({ members, person, colleague, elsewhere, watch }) => {
  const theirs = await members.join(colleague, elsewhere, "Owner");
  await members.page.reload();
  await members.openAction(person, "Leave organization…");
  // What was still being asked for is not there any more.
  watch.allowStatus(404, /^\/api\//);
  await members.page.getByRole("alertdialog").getByRole("button", { name: "Leave organization" }).click();
  await expect(members.toast("You left ")).toBeVisible();
  await expect(members.page.getByRole("heading", { name: "No projects" })).toBeVisible();
  await expect(theirs.row(person)).toHaveCount(0);
  await expect(theirs.row(colleague)).toContainText("Owner");
});

test("an invite that can't be sent says why at its field", async ({ members, person, colleague, watch }) => {
  await members.invite.click();
  const refused = async (login: string, why: string) => {
    await members.login.fill(login);
    await members.submit.click();
    await expect(members.inviteDialog.getByText(why)).toBeVisible();
    await expect(members.login).toHaveAttribute("aria-invalid", "true");
    await expect(members.login).toBeFocused();
  };
  for (const login of ["", "-octocat", "octo cat", "o".repeat(40)]) {
    await refused(login, "Enter a GitHub username: letters, digits and single hyphens.");
  }
  watch.allowStatus(409, /^\/api\/members\/invite$/);
  await refused(person.login, "You are already a member.");
  await members.login.fill(colleague.login);
  await members.submit.click();
  await expect(members.inviteDialog).toBeHidden();
  await members.invite.click();
  await refused(`@${colleague.login}`, "This user has already been invited.");
});

test("an invite is cancelled, and whoever comes then is no member", async ({ members, colleague, elsewhere, watch }) => {
  await members.inviteAs("Member", colleague.login);
  const cancel = members.row(colleague).getByRole("button", { name: `Cancel invite of @${colleague.login}` });
  await cancel.click();
  await expect(members.toast("Invite cancelled")).toBeVisible();
  await expect(members.row(colleague)).toHaveCount(0);
  await expect(members.dashboard.heading("Members"), "the focus is not lost with its button").toBeFocused();
  await elsewhere.signIn(colleague.login);
  watch.allowStatus(404, /./);
  await elsewhere.page.goto(`/projects/${members.projectId}/settings/members`);
  await expect(elsewhere.page.getByText("This page doesn’t exist, or you don’t have access to it.")).toBeVisible();
});

test("who may only look learns who can help, and may leave", async ({ members, person, colleague, elsewhere, watch }) => {
  const theirs = await members.join(colleague, elsewhere, "Viewer");
  await expect(theirs.page.getByText("You can view members, not change them.")).toBeVisible();
  await expect(theirs.page.getByText(`Ask ${person.name}.`)).toBeVisible();
  await expect(theirs.invite).toBeHidden();
  await expect(theirs.page.getByRole("combobox")).toHaveCount(0);
  await expect(theirs.actions(person)).toHaveCount(0);
  await theirs.page.locator("main").press("c");
  await expect(theirs.inviteDialog).toBeHidden();
  // The keys' page leads here.
  await theirs.page.goto(`/projects/${members.projectId}/keys`);
  await theirs.page.getByRole("link", { name: "See who can help" }).click();
  await expect(theirs.dashboard.heading("Members")).toBeFocused();

  await theirs.openAction(colleague, "Leave organization…");
  watch.allowStatus(404, /^\/api\//);
  await theirs.page.getByRole("alertdialog").getByRole("button", { name: "Leave organization" }).click();
  await expect(theirs.toast("You left ")).toBeVisible();
  await expect(theirs.dashboard.heading("Applications")).toBeVisible();
  expect(theirs.dashboard.projectId).not.toBe(members.projectId);
  await expect(members.row(colleague)).toHaveCount(0);
});

test("somebody is invited, given a role and removed by keyboard alone", async ({ members, colleague, elsewhere }) => {
  const { page } = members;
  await page.locator("main").press("c");
  await expect(members.login).toBeFocused();
  await page.keyboard.press("Escape");
  await expect(members.inviteDialog).toBeHidden();
  await tabTo(page, members.invite);
  await page.keyboard.press("Enter");
  await expect(members.login).toBeFocused();
  await page.keyboard.type(colleague.login);
  await page.keyboard.press("Tab");
  const role = members.inviteDialog.getByRole("combobox", { name: "Role" });
  await expect(role).toBeFocused();
  await page.keyboard.type("v");
  await page.keyboard.press("Enter");
  await expect(role).toContainText("Viewer");
  await tabTo(page, members.submit);
  await page.keyboard.press("Enter");
  await expect(members.toast("Member invited")).toBeVisible();
  await expect(members.invite, "the focus is back at its opener").toBeFocused();
  await elsewhere.signIn(colleague.login);
  const theirs = members.seenIn(elsewhere);
  await theirs.openInvitations();
  await tabTo(theirs.page, theirs.page.getByRole("button", { name: "Accept the invitation of" }));
  await theirs.page.keyboard.press("Enter");
  await expect(theirs.toast("You joined ")).toBeVisible();

  await expect(members.role(colleague)).toContainText("Viewer");
  await tabTo(page, members.role(colleague));
  await page.keyboard.press("ArrowDown");
  await expect(members.role(colleague)).toHaveAttribute("aria-expanded", "true");
  await page.keyboard.press("Home");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await expect(members.toast(`${colleague.name} is now an admin`)).toBeVisible();
  await expect(members.role(colleague)).toBeFocused();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Escape");
  await expect(members.role(colleague)).toContainText("Admin");

  await tabTo(page, members.actions(colleague));
  await page.keyboard.press("Enter");
  await expect(page.getByRole("menuitem", { name: "Remove…" })).toBeFocused();
  await page.keyboard.press("Escape");
  await expect(members.actions(colleague)).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("menuitem", { name: "Remove…" })).toBeFocused();
  await page.keyboard.press("Enter");
  const dialog = members.confirm(`Remove ${colleague.name}?`);
  await expect(dialog.getByRole("button", { name: "Cancel" })).toBeFocused();
  await tabTo(page, dialog.getByRole("button", { name: "Remove member" }));
  await page.keyboard.press("Enter");
  await expect(members.row(colleague)).toHaveCount(0);
  await expect(members.dashboard.heading("Members"), "its opener is gone").toBeFocused();
});

test("a menu of the last row is cut off by nothing", async ({ members, colleague, elsewhere, page }) => {
  await members.join(colleague, elsewhere);
  await page.setViewportSize({ width: 1440, height: 420 });
  await members.actions(colleague).scrollIntoViewIfNeeded();
  await members.actions(colleague).click();
  await expect(page.getByRole("menuitem", { name: "Remove…" })).toBeInViewport({ ratio: 1 });
  await page.keyboard.press("Escape");
  await members.role(colleague).click();
  for (const role of ["Owner", "Viewer"]) {
    await expect(members.row(colleague).getByRole("option", { name: role })).toBeInViewport({ ratio: 1 });
  }
});

test("what each role can do is told below the list", async ({ members, page }) => {
  const table = page.getByRole("table", { name: "What each role can do" });
  const line = (words: string) => table.getByRole("row").filter({ hasText: words });
  await expect(table.getByRole("columnheader")).toHaveText(["Can", "Owner", "Admin", "Member", "Viewer"]);
  await expect(line("Create, rotate and revoke keys").getByRole("cell")).toHaveText(["Yes", "Yes", "Yes", "–None"]);
  await expect(line("Manage owners, delete the organization").getByRole("cell")).toHaveText(["Yes", "–None", "–None", "–None"]);
  await expect(members.table.getByRole("columnheader")).toHaveText(["Member", "Role", "Last active", "Actions"]);
});

test("members that can't be loaded are told of, and tried again", async ({ members, person, page, watch }) => {
  watch.allowStatus(500, /^\/api\/members\/list$/);
  const problem = { type: "about:blank", title: "Internal Server Error", status: 500, code: "internal", detail: "It failed.", request_id: "req_test" };
  await page.route(/\/api\/members\/list/, (route) => route.fulfill({ status: 500, json: problem }));
  await page.reload();
  await expect(page.getByRole("heading", { name: "Couldn’t load members" })).toBeVisible();
  await expect(page.getByText("req_test")).toBeVisible();
  await page.unrouteAll();
  await page.getByRole("button", { name: "Try again" }).click();
  await expect(members.row(person)).toContainText("You");
});

test("a role that could not be saved goes back, and can be tried again", async ({ members, colleague, elsewhere, page, watch }) => {
  await members.join(colleague, elsewhere);
  watch.allowFailure(/^\/api\//);
  await page.route(/\/api\/members\/change/, (route) => route.abort("connectionreset"));
  await members.give("Admin", colleague);
  const failure = members.failure("Couldn’t change the role.");
  await expect(failure).toBeVisible();
  await expect(members.role(colleague)).toContainText("Member");
  await page.unrouteAll();
  await failure.getByRole("button", { name: "Retry" }).click();
  await expect(members.toast(`${colleague.name} is now an admin`)).toBeVisible();
  await expect(members.role(colleague)).toContainText("Admin");
});
