// The usage page of a project.
import { sendTrace } from "../support/api.ts";
import { choose } from "../support/api-keys.ts";
import { expect, test } from "../support/fixtures.ts";
import { ask, InferenceKeys } from "../support/inference-keys.ts";

test("a project’s usage adds up its keys, and narrows to one", async ({ application, page, latchkey }) => {
  const keys = new InferenceKeys(application);
  const checkout = await application.create("Web checkout");
  const support = await keys.createElsewhere({ name: "Support assistant", allowed_models: ["sandbox"] });
  await sendTrace(latchkey.url, checkout, "/cart");
  expect((await ask(latchkey.url, support, "sandbox")).status).toBe(200);
  expect((await ask(latchkey.url, support, "gpt-9")).status).toBe(403);

  await page.goto(`/projects/${keys.projectId}/usage`);
  await expect(application.heading("Usage")).toBeVisible();
  await expect(keys.chart("Requests")).toContainText("1 denied");
  await expect(keys.chart("Requests").getByText("3", { exact: true }).first()).toBeVisible();
  const quota = page.getByRole("meter", { name: "Monthly quota used" });
  await expect(quota).toHaveAttribute("aria-valuetext", /^[23] of 100,000 requests$/);
  await expect(keys.denials).toHaveCount(1);

  await page.getByRole("radiogroup", { name: "Environment" }).getByRole("radio", { name: "Test" }).click();
  await expect(keys.chart("Requests")).toContainText("No requests in this range.");
  await expect(page.getByText("Every request in this range was allowed.")).toBeVisible();
  await page.getByRole("radiogroup", { name: "Environment" }).getByRole("radio", { name: "All" }).click();
  await choose(page.getByRole("main"), "Key", "Web checkout");
  await expect(page).toHaveURL(/\?key=key_\w+$/);
  await expect(keys.chart("Requests")).toContainText("0 denied");
  await page.reload();
  await expect(page.getByRole("combobox", { name: "Key" })).toHaveText("Web checkout");
});

test("budget events that can’t be loaded say so and come with another try", async ({ application, page, watch }) => {
  watch.allowStatus(503, /^\/api\/usage\/budget-events/);
  await page.route("**/api/usage/budget-events", (route) => route.fulfill({ status: 503, body: "{}" }));
  await page.goto(`/projects/${application.projectId}/usage`);
  const events = page.getByRole("region", { name: "Budget events" });
  await expect(events.getByRole("alert")).toContainText("Couldn’t load budget events");
  await page.unroute("**/api/usage/budget-events");
  await events.getByRole("button", { name: "Try again" }).click();
  await expect(events, "there are none").toBeHidden();
});

test("usage that can’t be loaded says so and comes with another try", async ({ application, page, watch }) => {
  watch.allowStatus(503, /^\/api\/usage\//);
  await page.route("**/api/usage/project", (route) => route.fulfill({ status: 503, body: "{}" }));
  await page.goto(`/projects/${application.projectId}/usage`);
  await expect(page.getByRole("alert")).toContainText("Couldn’t load usage");
  await page.unroute("**/api/usage/project");
  await page.getByRole("button", { name: "Try again" }).click();
  await expect(page.getByRole("region", { name: "Requests" })).toContainText("No requests in this range.");
});
