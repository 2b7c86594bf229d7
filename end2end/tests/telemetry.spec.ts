// From a key to telemetry on the page, and to the refusal after the revocation.
import { sendLog, sendTrace } from "../support/api.ts";
import { expect, test } from "../support/fixtures.ts";

test("a trace that was sent with a key appears without a reload", async ({ application, page, latchkey }) => {
  const key = await application.create("Web checkout");
  await page.evaluate(() => Object.assign(window, { sameDocument: true }));
  expect(await sendTrace(latchkey.url, key, "/cart/42", 200)).toEqual({ status: 200, body: { accepted: 1, rejected: 0, errors: [] } });
  await expect(application.telemetryRow("/cart/42")).toContainText("GET");
  await expect(application.telemetryRow("/cart/42")).toContainText("200");
  await sendTrace(latchkey.url, key, "/cart/broken", 500);
  await expect(application.telemetryRow("/cart/broken")).toContainText("500");
  // Newest first.
  const rows = page.getByRole("row").filter({ hasText: "/cart/" });
  await expect(rows).toHaveCount(2);
  await expect(rows.first()).toContainText("/cart/broken");
  expect(await page.evaluate(() => "sameDocument" in window)).toBe(true);
});

test("logs have a tab of their own, with their levels", async ({ application, page, latchkey }) => {
  const key = await application.create("Web checkout");
  await application.tab("Logs").click();
  await expect(page).toHaveURL(/tab=logs/);
  for (const level of ["info", "warn", "error"]) {
    await sendLog(latchkey.url, key, level, `A line of level ${level}`);
    const row = application.telemetryRow(`A line of level ${level}`);
    await expect(row.getByText(new RegExp(`^${level}$`, "i"))).toBeVisible();
  }
  await page.reload();
  await expect(application.tab("Logs")).toHaveAttribute("aria-selected", "true");
  await expect(application.telemetryRow("A line of level error")).toBeVisible();
  await application.tab("Traces").click();
  await expect(application.telemetryRow("A line of level error")).toBeHidden();
});

test("what an application sends is shown as text, whatever it is", async ({ application, page, latchkey }) => {
  const key = await application.create("Web checkout");
  const hostile = `<img src=x onerror="document.title='owned'">\u202e & "quotes" 🗝️`;
  await sendTrace(latchkey.url, key, `/search?q=${hostile}`);
  await expect(application.telemetryRow("onerror=")).toBeVisible();
  await application.tab("Logs").click();
  await sendLog(latchkey.url, key, "<b>loud</b>", hostile);
  await expect(application.telemetryRow("onerror=")).toContainText("<b>loud</b>");
  expect(await page.locator("img[src=x]").count()).toBe(0);
  expect(await page.title()).not.toBe("owned");
});

test("an empty application says how to send the first request", async ({ application, latchkey }) => {
  const command = application.page.getByText(`${latchkey.url}/ingest/traces`).first();
  await expect(command).toBeVisible();
});

test("older rows are read in pages", async ({ application, page, latchkey }) => {
  const key = await application.create("Web checkout");
  const now = Date.now();
  const traces = Array.from({ length: 120 }, (_, i) => ({
    timestamp: new Date(now - i * 1000).toISOString(),
    requestMethod: "GET",
    requestURL: `/page/${i}`,
    responseStatus: 200,
    traceId: "t",
    spanId: "s",
    parentSpanId: null,
    durationMs: 1,
  }));
  const response = await fetch(`${latchkey.url}/ingest/traces`, {
    method: "POST",
    headers: { "x-api-key": key, "content-type": "application/json" },
    body: JSON.stringify({ timestamp: new Date(now).toISOString(), traces }),
  });
  expect(await response.json()).toEqual({ accepted: 120, rejected: 0, errors: [] });
  const rows = page.getByRole("row").filter({ hasText: "/page/" });
  const older = page.getByRole("button", { name: /load older/i });
  await expect(rows).toHaveCount(50);
  await older.click();
  await expect(rows).toHaveCount(100);
  await older.click();
  await expect(rows).toHaveCount(120);
  await expect(older).toBeHidden();
});

test("a key says when it was last used, without a reload", async ({ application, latchkey }) => {
  const key = await application.create("Web checkout");
  const lastUsed = application.keyRow("Web checkout").getByRole("cell").nth(3);
  await expect(lastUsed).toHaveText(/None/);
  await sendTrace(latchkey.url, key, "/cart");
  await expect(lastUsed).toHaveText(/just now/);
  await application.revokeButton("Web checkout").click();
  await expect(application.revokeDialog("Web checkout")).toContainText("Used just now from 127.0.0.1");
});

test("a revoked key is refused by the next request", async ({ application, page, latchkey }) => {
  const key = await application.create("Web checkout");
  const kept = await application.create("Kept");
  expect((await sendTrace(latchkey.url, key, "/before")).status).toBe(200);
  await application.revokeButton("Web checkout").click();
  const dialog = application.revokeDialog("Web checkout");
  await expect(dialog.getByRole("button", { name: "Cancel" })).toBeFocused();
  await expect(dialog).toContainText("A revoked key can’t be restored.");
  await dialog.getByRole("button", { name: "Revoke key" }).click();
  await expect(page.getByRole("status").filter({ hasText: "Key revoked" })).toBeVisible();

  const refused = await sendTrace(latchkey.url, key, "/after");
  expect(refused.status).toBe(401);
  expect(refused.body).toMatchObject({ code: "revoked_key" });
  expect((await sendTrace(latchkey.url, kept, "/other-key")).status).toBe(200);
  await expect(application.keyRow("Web checkout")).toContainText("Revoked");
  await expect(application.revokeButton("Web checkout")).toBeHidden();
  await expect(application.telemetryRow("/other-key")).toBeVisible();
  await expect(application.telemetryRow("/after")).toBeHidden();
});

test("a cancelled revocation revokes nothing", async ({ application, page, latchkey }) => {
  const key = await application.create("Web checkout");
  const dialog = application.revokeDialog("Web checkout");
  for (const cancel of [() => page.keyboard.press("Escape"), () => dialog.getByRole("button", { name: "Cancel" }).click()]) {
    await application.revokeButton("Web checkout").click();
    await expect(dialog).toBeVisible();
    await cancel();
    await expect(dialog).toBeHidden();
    await expect(application.revokeButton("Web checkout")).toBeFocused();
  }
  expect((await sendTrace(latchkey.url, key, "/still")).status).toBe(200);
});
