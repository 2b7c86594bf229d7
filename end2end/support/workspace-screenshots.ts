// A walk past the switcher, the applications, a project's own settings and the audit log.
import { expect } from "@playwright/test";
import { ApiKeys } from "./api-keys.ts";
import { AuditLog } from "./audit-log.ts";
import { BudgetRows } from "./budgets.ts";
import { FIRST_APPLICATION, type Dashboard } from "./dashboard.ts";
import { Members } from "./members.ts";
import type { Company, Stop } from "./screenshots.ts";
import { Workspace } from "./workspace.ts";

/** Begins on the page of an application, and ends without a project. */
export async function workspaceScreenshots(dashboard: Dashboard, company: Company, stop: Stop): Promise<void> {
  const workspace = new Workspace(dashboard);
  const keys = new ApiKeys(dashboard);
  await switcher(workspace, company, stop);
  await applications(workspace, stop);
  await projectSettings(workspace, stop);
  await audit(workspace, keys, stop);
  await withoutRights(workspace, company, stop);
}

async function switcher(workspace: Workspace, { person }: Company, stop: Stop): Promise<void> {
  const { page, projectDialog } = workspace;
  await workspace.openSwitcher();
  await expect(workspace.item("New organization…")).toBeVisible();
  await stop("switcher");
  await workspace.item("New organization…").click();
  await expect(workspace.organizationDialog).toBeVisible();
  await stop("create-organization");
  await page.keyboard.press("Escape");
  await workspace.openSwitcher();
  await workspace.item(`New project in ${person.name}…`).click();
  await projectDialog.prefix.fill("Shop");
  await projectDialog.submit.click();
  await expect(projectDialog.root.getByText("Enter a name.")).toBeVisible();
  await stop("create-project");
  await page.keyboard.press("Escape");
  await workspace.leaveNavigation();
}

async function applications(workspace: Workspace, stop: Stop): Promise<void> {
  const { page, dashboard } = workspace;
  await page.getByRole("button", { name: `Actions for ${FIRST_APPLICATION}` }).click();
  await expect(page.getByRole("menuitem", { name: "Delete…" })).toBeVisible();
  await stop("application-menu");
  await page.keyboard.press("Escape");
  const made = [
    ["Web checkout with a name that is as long as a name can ever be!!", "Takes the money, in the shop and on the phone, wherever customers are.", "production"],
    ["Partner sync", "", "staging"],
  ];
  for (const [name, description, environment] of made) {
    const body = { name, description, environment };
    expect((await workspace.api("POST", `/v1/projects/${dashboard.projectId}/applications`, body)).status).toBe(201);
  }
  await page.goto(`/projects/${dashboard.projectId}/applications`);
  await expect(page.getByText("Only active keys restricted to the application are counted.")).toBeVisible();
  await expect(page.getByRole("row").last().getByRole("cell").nth(3)).toHaveText(/^0\b/);
  await stop("applications-several");
  await page.getByRole("main").getByRole("button", { name: "New application" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Create application" }).click();
  await expect(page.getByText("Enter a name.")).toBeVisible();
  await stop("create-application");
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Actions for Partner sync" }).click();
  await page.getByRole("menuitem", { name: "Delete…" }).click();
  await expect(page.getByText("It has no active keys of its own.")).toBeVisible();
  await stop("delete-application");
  await page.keyboard.press("Escape");
}

async function projectSettings(workspace: Workspace, stop: Stop): Promise<void> {
  const { page } = workspace;
  await workspace.openSettings();
  await expect(page.getByRole("textbox", { name: "Key prefix" })).toHaveValue("lk");
  await stop("project-settings");
  await page.getByRole("button", { name: "Edit limits over all keys" }).click();
  const limits = page.getByRole("dialog", { name: "Edit limits over all keys" });
  const budgets = new BudgetRows(limits);
  await budgets.put(1, { limit: "5" });
  await limits.getByRole("button", { name: "Save limits" }).click();
  await expect(page.getByRole("meter", { name: "Spend limit used" })).toBeVisible();
  await page.getByRole("meter", { name: "Spend limit used" }).scrollIntoViewIfNeeded();
  await stop("project-limits");
  await page.getByRole("button", { name: "Edit defaults of new keys" }).click();
  const defaults = new BudgetRows(page.getByRole("dialog", { name: "Edit defaults of new keys" }));
  await defaults.add.click();
  await defaults.limit(1).scrollIntoViewIfNeeded();
  await stop("project-defaults");
  await page.keyboard.press("Escape");
  await workspace.deleteProject.click();
  await expect(page.getByText("3 applications are deleted, with their traces and logs.")).toBeVisible();
  await stop("project-delete");
  await page.keyboard.press("Escape");
}

async function audit(workspace: Workspace, keys: ApiKeys, stop: Stop): Promise<void> {
  const { page, dashboard } = workspace;
  await keys.createElsewhere({ name: "Web checkout", rpm: 600 });
  const secret = await keys.createElsewhere({ name: "Billing backend", kind: "service", permissions: ["keys:read", "keys:write"] });
  const list = await workspace.api("GET", `/v1/projects/${dashboard.projectId}/keys?q=checkout`);
  const [key] = (list.body as { data: { id: string }[] }).data;
  const asProgram = { authorization: `Bearer ${secret}`, "content-type": "application/json" };
  const patch = { method: "PATCH", headers: asProgram, body: JSON.stringify({ rpm: 900 }) };
  expect((await fetch(`${dashboard.url}/v1/keys/${key?.id}`, patch)).status).toBe(200);
  await workspace.api("PATCH", `/v1/projects/${dashboard.projectId}`, { name: "Storefront API" });
  await workspace.api("DELETE", `/v1/keys/${key?.id}`);
  const log = new AuditLog(dashboard);
  await log.open();
  await expect(log.event("600 to 900 rpm")).toBeVisible();
  await stop("audit-log");
  await log.details("Changed key, Web checkout").click();
  await expect(log.raw).toBeVisible();
  await stop("audit-log-event");
  await log.choose("Actor", "System");
  await expect(page.getByText("No events match these filters.")).toBeVisible();
  await stop("audit-log-no-match");
}

async function withoutRights(workspace: Workspace, { person, colleague, elsewhere }: Company, stop: Stop): Promise<void> {
  const { page, dashboard } = workspace;
  const { projectId } = dashboard;
  const { organization, user } = await new Members(dashboard, projectId).ids(person);
  const members = `/v1/organizations/${organization}/members`;
  expect((await workspace.api("POST", members, { login: colleague.login, role: "owner" })).status).toBe(201);
  await elsewhere.signInPastLogin(colleague.login);
  const theirs = new Workspace(elsewhere);
  expect((await theirs.api("POST", `/v1/me/invitations/${organization}/accept`)).status).toBe(204);
  expect((await theirs.api("PATCH", `${members}/${user}`, { role: "viewer" })).status).toBe(200);
  await page.goto(`/projects/${projectId}/audit`);
  await expect(page.getByText("Only owners and admins can view the audit log")).toBeVisible();
  await stop("audit-log-forbidden");
  await page.goto(`/projects/${projectId}/settings/project`);
  await expect(page.getByText("An owner or admin can change name and prefix.")).toBeVisible();
  await stop("project-settings-viewer");
  expect((await theirs.api("DELETE", `/v1/projects/${projectId}`)).status).toBe(204);
  await page.goto("/");
  await expect(page.getByRole("heading", { name: "No projects" })).toBeVisible();
  await stop("home-empty");
}
