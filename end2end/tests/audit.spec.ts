// The audit log: who did what, narrowed, opened and exported.
import { readFile } from "node:fs/promises";
import { AuditLog } from "../support/audit-log.ts";
import { expect, test } from "../support/fixtures.ts";
import { tabTo } from "../support/keyboard.ts";
import { problem } from "../support/problem.ts";

test("every change is listed: when, who, what, to what and from where", async ({ application, person, page }) => {
  await application.create("Web checkout");
  await application.revoke("Web checkout");
  const audit = new AuditLog(application);
  await page.getByRole("link", { name: "Audit log" }).click();
  await expect(application.heading("Audit log")).toBeFocused();
  await expect(page).toHaveURL(/\/projects\/my-project-prj_\w+\/audit$/);
  await expect(page.getByText("Every change to keys, members and settings.")).toBeVisible();
  await expect(audit.days).toHaveText(["Today"]);
  await expect(audit.events.first()).toContainText("Revoked key");
  const created = audit.event("key.created");
  await expect(created.getByRole("cell").first()).toHaveText(/^\d\d:\d\d:\d\d$/);
  await expect(created).toContainText(person.name ?? "");
  await expect(created).toContainText("Created key");
  await expect(created).toContainText(/Web checkout\s*lk_live_\w{4}…\w{4}/);
  await expect(created).toContainText("127.0.0.1");
  await expect(audit.count).toHaveText(/^\d events$/);
});

test("one changed field is said in words", async ({ application }) => {
  const audit = new AuditLog(application);
  await audit.renameElsewhere(1);
  await audit.open();
  await expect(audit.event("project.changed")).toContainText(/Name 1\s*was “My project”/);
});

test("a row opens the whole event, and nothing secret is in it", async ({ application }) => {
  const secret = await application.create("Web checkout");
  const audit = new AuditLog(application);
  await audit.open();
  const details = audit.details("Created key, Web checkout");
  await expect(details).toHaveAttribute("aria-expanded", "false");
  // Anywhere in the row.
  await audit.event("key.created").click({ position: { x: 300, y: 10 } });
  await expect(details).toHaveAttribute("aria-expanded", "true");
  const event = JSON.parse(await audit.raw.innerText()) as Record<string, unknown>;
  expect(event).toMatchObject({ action: "key.created", target: { kind: "key", name: "Web checkout" }, ip: "127.0.0.1" });
  expect(JSON.stringify(event)).not.toContain(secret);
  await details.click();
  await expect(audit.raw).toBeHidden();
});

test("filters stand in the address and survive a reload", async ({ application, person, page }) => {
  await application.create("Web checkout");
  const audit = new AuditLog(application);
  await audit.open();
  await audit.choose("Action", "Created key");
  await expect(audit.events).toHaveCount(1);
  await expect(audit.count).toHaveText("1 event");
  await audit.choose("Actor", person.name ?? "");
  await audit.choose("Period", "Last 24 hours");
  await expect(page).toHaveURL(/\?actor=usr_\w+&action=key\.created&period=24h$/);
  await page.reload();
  await expect(page.getByRole("combobox", { name: "Actor" })).toHaveText(person.name ?? "");
  await expect(page.getByRole("combobox", { name: "Action" })).toHaveText("Created key");
  await expect(page.getByRole("combobox", { name: "Period" })).toHaveText("Last 24 hours");
  await expect(audit.events).toHaveCount(1);

  await audit.choose("Actor", "System");
  await expect(page.getByText("No events match these filters.")).toBeVisible();
  await expect(audit.count).toHaveText("0 events");
  await page.getByRole("button", { name: "Clear filters" }).click();
  await expect(page).toHaveURL(/\/audit\?period=all$/);
  await expect(audit.event("organization.created")).toBeVisible();
  // Somebody's login works too, as a person would write it.
  await audit.open(`?actor=${person.login}`);
  await expect(page.getByRole("combobox", { name: "Actor" })).toHaveText(person.name ?? "");
  await expect(audit.event("key.created")).toBeVisible();
});

test("a long log is loaded in pages, without a gap", async ({ application, page }) => {
  const audit = new AuditLog(application);
  await audit.renameElsewhere(60);
  await audit.open("?action=project.changed");
  await expect(audit.count).toHaveText("50+ events");
  await page.getByRole("button", { name: "Load more" }).click();
  await expect(audit.count).toHaveText("60 events");
  await expect(audit.days).toHaveText(["Today"]);
  const names = await audit.events.locator("td:nth-child(4) span span:first-child").allInnerTexts();
  expect(names).toEqual(Array.from({ length: 60 }, (_, index) => `Name ${60 - index}`));
});

test("the export holds the events of the filter", async ({ application, page }) => {
  const audit = new AuditLog(application);
  await audit.renameElsewhere(55);
  await application.create("=1+1");
  await audit.open("?action=project.changed");
  const [download] = await Promise.all([page.waitForEvent("download"), audit.exportCsv.click()]);
  expect(download.suggestedFilename()).toMatch(/^audit-log-\d{4}-\d\d-\d\d\.csv$/);
  await expect(page.getByRole("status").filter({ hasText: "Exported 55 events" })).toBeVisible();
  const rows = (await readFile(await download.path(), "utf8")).trim().split("\r\n");
  expect(rows[0]).toMatch(/^id,at,actor_kind,/);
  expect(rows).toHaveLength(56);
  expect(rows.slice(1).every((row) => row.includes(",project.changed,"))).toBe(true);

  await audit.open("?action=key.created");
  const [second] = await Promise.all([page.waitForEvent("download"), audit.exportCsv.click()]);
  await expect(page.getByRole("status").filter({ hasText: "Exported 1 event" })).toBeVisible();
  expect(await readFile(await second.path(), "utf8"), "no spreadsheet takes a name for a formula").toContain(`,'=1+1,`);
});

test("an export renews the session, and says when it fails", async ({ application, page, watch }) => {
  const audit = new AuditLog(application);
  await audit.open();
  await expect(audit.events.first()).toBeVisible();
  watch.allowStatus(401, /\/audit\.csv/);
  await application.setToken("not-a-token-any-more");
  await Promise.all([page.waitForEvent("download"), audit.exportCsv.click()]);
  await expect(page.getByRole("status").filter({ hasText: /^Exported \d events/ })).toBeVisible();

  watch.allowStatus(500, /\/audit\.csv/);
  await page.route(/\/audit\.csv/, (route) => route.fulfill({ status: 500, json: problem }));
  await audit.exportCsv.click();
  const failure = page.getByRole("alert").filter({ hasText: "Couldn’t export the events." });
  await expect(failure).toBeVisible();
  await page.unrouteAll();
  await Promise.all([page.waitForEvent("download"), failure.getByRole("button", { name: "Retry" }).click()]);
});

test("while the log is on its way, its shape is there", async ({ application, page }) => {
  let release = (): void => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  await page.route(/\/api\/audit\/list/, async (route) => {
    await held;
    await route.continue();
  });
  const audit = new AuditLog(application);
  await audit.open();
  await expect(audit.table.getByRole("columnheader")).toHaveText(["Time (UTC)", "Actor", "Action", "Target", "IP address", "Details"]);
  await expect(page.locator("[aria-busy=true]")).toBeVisible();
  release();
  await expect(audit.event("organization.created")).toBeVisible();
  await expect(page.locator("[aria-busy=true]")).toHaveCount(0);
});

test("a log that can't be loaded says so and can be tried again", async ({ application, page, watch }) => {
  watch.allowStatus(500, /^\/api\//);
  await page.route(/\/api\/audit\/list/, (route) => route.fulfill({ status: 500, json: problem }));
  const audit = new AuditLog(application);
  await audit.open();
  await expect(page.getByText("Couldn’t load the audit log")).toBeVisible();
  await expect(page.getByText("req-for-the-test")).toBeVisible();
  await page.unrouteAll();
  await page.getByRole("button", { name: "Try again" }).click();
  await expect(audit.event("organization.created")).toBeVisible();
});

test("members and viewers learn who can help", async ({ members, colleague, elsewhere, person }) => {
  await members.join(colleague, elsewhere, "Viewer");
  await expect(elsewhere.page.getByRole("link", { name: "Audit log" })).toBeHidden();
  const theirs = new AuditLog(elsewhere);
  await elsewhere.page.goto(`/projects/${members.projectId}/audit`);
  await expect(elsewhere.page.getByText("Only owners and admins can view the audit log")).toBeVisible();
  await expect(elsewhere.page.getByText(`Your role in ${person.name} is Viewer. An owner or admin can change it.`)).toBeVisible();
  await expect(theirs.exportCsv).toBeHidden();
  await elsewhere.page.getByRole("main").getByRole("link", { name: "See who can help" }).click();
  await expect(elsewhere.heading("Members")).toBeVisible();
});

test("the log is read by keyboard alone", async ({ application, page }) => {
  await application.create("Web checkout");
  const audit = new AuditLog(application);
  await audit.open();
  await expect(audit.event("key.created")).toBeVisible();
  const action = page.getByRole("combobox", { name: "Action" });
  await tabTo(page, action);
  await page.keyboard.type("Created key");
  await page.keyboard.press("Enter");
  await expect(audit.events).toHaveCount(1);
  await expect(action, "filtering moves no focus").toBeFocused();
  const details = audit.details("Created key, Web checkout");
  await tabTo(page, details);
  await page.keyboard.press("Enter");
  await expect(audit.raw).toContainText('"action": "key.created"');
  await page.keyboard.press("Tab");
  await expect(audit.raw, "what may need scrolling can be reached").toBeFocused();
  await tabTo(page, audit.exportCsv);
  const [download] = await Promise.all([page.waitForEvent("download"), page.keyboard.press("Enter")]);
  expect(download.suggestedFilename()).toMatch(/\.csv$/);
});

test("a service key that acts is named as one", async ({ apiKeys }) => {
  const { dashboard } = apiKeys;
  const secret = await apiKeys.createElsewhere({ name: "Billing backend", kind: "service", permissions: ["keys:write"] });
  const answer = await fetch(`${dashboard.url}/v1/projects/${dashboard.projectId}/keys`, {
    method: "POST",
    headers: { authorization: `Bearer ${secret}`, "content-type": "application/json" },
    body: JSON.stringify({ name: "Made by a program" }),
  });
  expect(answer.status).toBe(201);
  const audit = new AuditLog(dashboard);
  await audit.open();
  await expect(audit.event("Made by a program")).toContainText("Billing backend");
});
