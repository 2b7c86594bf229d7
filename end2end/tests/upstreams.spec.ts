// What an administrator of the instance sees of the gateway's upstreams: here the local developer.
import type { Locator } from "@playwright/test";
import type { Dashboard } from "../support/dashboard.ts";
import { expect, test } from "../support/fixtures.ts";
import { expectInside } from "../support/layout.ts";
import { Keyholder } from "../support/gateway.ts";
import { tabTo } from "../support/keyboard.ts";

const LONG_MODEL = "an-organization/a-model-with-a-name-that-is-far-longer-than-any-column-has-room-for-GGUF-Q4_K_M";

// Nobody listens on port 9.
const FILE = `[[upstream]]
name = "gone"
base_url = "http://127.0.0.1:9/v1"
endpoints = ["chat", "embeddings"]
models = ["m-large", "m-small", "${LONG_MODEL}"]

[[upstream]]
name = "idle"
base_url = "http://127.0.0.1:9/v1"
models = ["m-idle", "m-two", "m-three", "m-four", "m-five"]
`;

test.use({ settings: { github: false, accessTokenTtl: 900, upstreams: { file: FILE, timeout: 5 } } });

/** Whether a text is shown to its end, on as many lines as it takes. */
const isWhole = (text: Locator) => text.evaluate((it) => it.scrollWidth <= it.clientWidth && it.scrollHeight <= it.clientHeight);

const row = ({ page }: Dashboard, name: string) =>
  page.getByRole("table", { name: "Upstreams" }).getByRole("row").filter({ hasText: name });

async function openUpstreams(dashboard: Dashboard): Promise<void> {
  await dashboard.openAccountMenu();
  await dashboard.page.getByRole("menuitem", { name: "Upstreams" }).click();
  await expect(dashboard.heading("Upstreams")).toBeFocused();
}

test("upstreams are listed with their health and last failure", async ({ dashboard, page, latchkey }) => {
  const keyholder = await Keyholder.signIn(latchkey.url);
  const key = await keyholder.key("caller");
  for (let call = 0; call < 3; call++) {
    const answer = await fetch(`${latchkey.url}/v1/chat/completions`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body: JSON.stringify({ model: "m-large", messages: [{ role: "user", content: "Hi" }] }),
    });
    expect(answer.status).toBe(502);
  }
  await dashboard.signInLocally();
  await openUpstreams(dashboard);
  await expect(page).toHaveTitle("Upstreams · Latchkey");
  const gone = row(dashboard, "gone");
  await expect(gone).toContainText("Failing");
  const models = gone.getByRole("listitem");
  await expect(models).toHaveText(["m-large", "m-small", LONG_MODEL]);
  await expect(gone).toContainText("chat, embeddings");
  await expect(gone).toContainText("No connection.");
  await expect(gone).not.toContainText("127.0.0.1");
  await expect(gone.getByRole("cell").nth(5)).toContainText("3");
  await expect(gone.getByRole("cell").nth(6)).toContainText("3");
  const idle = row(dashboard, "m-idle");
  await expect(idle).toContainText("Healthy");
  await expect(idle).toContainText("All");
  for (const width of [390, 1440]) {
    await page.setViewportSize({ width, height: 900 });
    await expect(gone).toBeVisible();
    await expectInside(models.last(), gone);
    expect(await isWhole(models.last()), `the long name at ${width}`).toBe(true);
    expect(await page.evaluate(() => document.documentElement.scrollWidth), `at ${width}`).toBeLessThanOrEqual(width);
  }
});

test("many models of an upstream are behind a button", async ({ dashboard, page }) => {
  await dashboard.signInLocally();
  await page.goto("/settings/upstreams");
  const idle = row(dashboard, "m-idle");
  await expect(idle.getByText("m-three")).toBeVisible();
  await expect(idle.getByText("m-four")).toBeHidden();
  const more = idle.getByRole("button", { name: "Show 2 more models" });
  await expect(more).toHaveAttribute("aria-expanded", "false");
  await tabTo(page, more);
  await page.keyboard.press("Enter");
  await expect(idle.getByText("m-five")).toBeVisible();
  await idle.getByRole("button", { name: "Show fewer models" }).click();
  await expect(idle.getByText("m-five")).toBeHidden();
});

test("upstreams are reached by keyboard alone", async ({ dashboard, page }) => {
  await dashboard.signInLocally();
  await tabTo(page, page.getByRole("button", { name: /^Account/ }));
  await page.keyboard.press("Enter");
  const link = page.getByRole("menuitem", { name: "Upstreams" });
  await expect(link).toBeVisible();
  for (let step = 0; step < 10 && !(await link.evaluate((element) => element === document.activeElement)); step++) {
    await page.keyboard.press("ArrowDown");
  }
  await page.keyboard.press("Enter");
  await expect(dashboard.heading("Upstreams")).toBeFocused();
});

test("an instance without upstreams says that the sandbox answers", async ({ dashboard, page }) => {
  await page.route(/\/api\/upstreams\/list/, (route) => route.fulfill({ json: [] }));
  await dashboard.signInLocally();
  await page.goto("/settings/upstreams");
  await expect(page.getByRole("heading", { name: "No upstream configured" })).toBeVisible();
  await expect(page.getByText("The sandbox answers.")).toBeVisible();
});

test("upstreams that can't be loaded are told of, and tried again", async ({ dashboard, page, watch }) => {
  watch.allowStatus(500, /^\/api\/upstreams\/list$/);
  const problem = { type: "about:blank", title: "Internal Server Error", status: 500, code: "internal", detail: "It failed.", request_id: "req_test" };
  await page.route(/\/api\/upstreams\/list/, (route) => route.fulfill({ status: 500, json: problem }));
  await dashboard.signInLocally();
  await page.goto("/settings/upstreams");
  await expect(page.getByRole("heading", { name: "Couldn’t load the upstreams" })).toBeVisible();
  await page.unrouteAll();
  await page.getByRole("button", { name: "Try again" }).click();
  await expect(row(dashboard, "m-idle")).toBeVisible();
});
