// What a person sees when the server or the network fails. The page's own calls are intercepted only here,
// because a real server can't be made to fail on demand.
import { sendTrace } from "../support/api.ts";
import { expect, test } from "../support/fixtures.ts";
import { problem } from "../support/problem.ts";

const API = /\/api\//;

test("a failing server is told, with a way to try again", async ({ application, page, watch }) => {
  await application.create("Web checkout");
  watch.allowStatus(500, API);
  await page.route(API, (route) => route.fulfill({ status: 500, json: problem }));
  await page.reload();
  const tryAgain = page.getByRole("button", { name: "Try again" });
  await expect(tryAgain.first()).toBeVisible();
  await expect(page.getByText("req-for-the-test").first()).toBeVisible();
  await page.unrouteAll();
  await tryAgain.first().click();
  await expect(application.heading("My application")).toBeVisible();
});

test("a list of keys that can't be loaded says so and that the keys keep working", async ({ application, page, watch }) => {
  await application.create("Web checkout");
  watch.allowStatus(500, API);
  await page.route(/\/api\/keys\//, (route) => route.fulfill({ status: 500, json: problem }));
  await page.reload();
  await expect(page.getByText("Couldn’t load keys")).toBeVisible();
  await expect(page.getByText(/Your keys keep working/)).toBeVisible();
  await page.unrouteAll();
  await page.getByRole("button", { name: "Try again" }).click();
  await expect(application.keyRow("Web checkout")).toBeVisible();
});

test("a lost network is survived without a reload", async ({ application, page, watch, latchkey }) => {
  const key = await application.create("Web checkout");
  await sendTrace(latchkey.url, key, "/before");
  await expect(application.telemetryRow("/before")).toBeVisible();
  watch.allowFailure(API);
  await page.context().setOffline(true);
  await application.revokeButton("Web checkout").click();
  const dialog = application.revokeDialog("Web checkout");
  await dialog.getByRole("button", { name: "Revoke key" }).click();
  await expect(page.getByRole("alert").filter({ hasText: "Couldn’t revoke the key." })).toBeVisible();
  await expect(application.telemetryRow("/before")).toBeVisible();
  await page.context().setOffline(false);
  await sendTrace(latchkey.url, key, "/after");
  await expect(application.telemetryRow("/after")).toBeVisible();
});

test("a page that doesn't exist says so", async ({ dashboard, person, page, watch }) => {
  await dashboard.signIn(person.login);
  watch.allowStatus(404, /./);
  for (const path of ["/no-such-page", "/projects/prj_nonsense/applications"]) {
    await page.goto(path);
    await expect(page.getByText("This page doesn’t exist, or you don’t have access to it.")).toBeVisible();
  }
  // Another tenant's application and one that never was look the same.
  await page.goto(`/projects/prj_01h455vb4pex5vsknk084sn02q/applications/app_01h455vb4pex5vsknk084sn02q`);
  await expect(page.getByText("This page doesn’t exist, or you don’t have access to it.")).toBeVisible();
});
