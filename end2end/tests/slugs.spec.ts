// Addresses name what they lead to. Only the id in them counts (docs/decisions/011-slugs.md).
import type { Page } from "@playwright/test";
import { call } from "../support/api.ts";
import type { Dashboard } from "../support/dashboard.ts";
import { expect, test } from "../support/fixtures.ts";

const PATH = /^\/projects\/my-project-(prj_\w+)\/applications\/my-application-(app_\w+)$/;

function path(page: Page): string {
  return new URL(page.url()).pathname;
}

async function rename(dashboard: Dashboard, name: string): Promise<void> {
  const headers = { authorization: `Bearer ${await dashboard.token()}` };
  const answer = await call(`${dashboard.url}/v1/projects/${dashboard.projectId}`, "PATCH", headers, { name });
  expect(answer.status).toBe(200);
}

test("every link names the project and the application", async ({ application, page }) => {
  expect(path(page)).toMatch(PATH);
  const project = `/projects/my-project-${application.projectId}`;
  await page.getByRole("button", { name: "Project My project, switch" }).click();
  await expect(page.getByRole("menuitem", { name: /^My project/ })).toHaveAttribute("href", `${project}/applications`);
  await page.keyboard.press("Escape");
  const links = await page.getByRole("link").evaluateAll((all) => all.map((link) => link.getAttribute("href") ?? ""));
  const ofProject = links.filter((link) => link.startsWith("/projects/"));
  expect(ofProject.length).toBeGreaterThan(4);
  for (const link of ofProject) expect(link).toMatch(new RegExp(`^${project}/`));
});

test("an id alone leads to the page, whose address then names it: no step back, no second load, no lost focus", async ({
  application,
  page,
}) => {
  const named = page.url();
  const { projectId, applicationId } = application;
  await page.goto("/settings/sessions");
  const asked: string[] = [];
  page.on("request", (request) => asked.push(new URL(request.url()).pathname));
  // The workspace's response is held until the page is there, and focus is somewhere on it.
  let release = (): void => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  await page.route(/\/api\/projects\/list/, async (route) => {
    await held;
    await route.continue();
  });
  const steps = await page.evaluate(() => history.length);
  await page.goto(`/projects/${projectId}/applications/${applicationId}?tab=logs#main`);
  await expect(application.heading("My application")).toBeVisible();
  await application.tab("Logs").focus();
  release();
  await expect(page).toHaveURL(`${named}?tab=logs#main`);
  await expect(application.tab("Logs")).toBeFocused();
  expect(await page.evaluate(() => history.length)).toBe(steps + 1);
  expect(asked.filter((path) => path === "/api/applications/get")).toHaveLength(1);
  // What stands in the address is what the page goes on with.
  await application.tab("Traces").click();
  await expect(page).toHaveURL(`${named}?tab=traces`);
  await page.goBack();
  await expect(page).toHaveURL(/\/settings\/sessions$/);
});

test("a link from before a rename still leads there", async ({ application, page }) => {
  const old = page.url();
  await rename(application, "Storefront API (EU)");
  await page.goto(old);
  await expect(application.heading("My application")).toBeVisible();
  await expect(page).toHaveURL(/\/projects\/storefront-api-eu-prj_\w+\/applications\/my-application-app_\w+$/);
  await expect(page).toHaveTitle("My application · Storefront API (EU) · Latchkey");
});

test("a name without letters that fit leaves the id alone", async ({ application, page }) => {
  await rename(application, "店舗");
  await page.goto(`/projects/an-old-name-${application.projectId}/keys`);
  await expect(page.getByRole("button", { name: "Project 店舗, switch" })).toBeVisible();
  await expect(page).toHaveURL(new RegExp(`/projects/${application.projectId}/keys$`));
});

test("whatever stands before a stranger's id, it leads nowhere", async ({ application, page, watch }) => {
  watch.allowStatus(404, /^\/api\//);
  await page.goto("/projects/my-project-prj_01h455vb4pex5vsknk084sn02q/applications");
  await expect(page.getByText("This page doesn’t exist, or you don’t have access to it.")).toBeVisible();
  await page.goto(`/projects/my-project-${application.projectId}x/applications`);
  await expect(page.getByText("This page doesn’t exist, or you don’t have access to it.")).toBeVisible();
});
