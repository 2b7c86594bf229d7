// Traces and logs as a person reads them: narrowed, opened, and a trace as a tree.
import { sendTrace } from "../support/api.ts";
import { expect, test } from "../support/fixtures.ts";
import { tabTo } from "../support/keyboard.ts";
import { HEALTH, ORDER, sendManyTraces, sendTelemetry, STACK, Telemetry } from "../support/telemetry.ts";

test.beforeEach(async ({ application, latchkey }) => {
  await sendTelemetry(latchkey.url, await application.create("Shop"));
  await expect(application.telemetryRow("/health")).toBeVisible();
});

test("traces are narrowed by text, trace, kind, status and root spans", async ({ application, page }) => {
  const telemetry = new Telemetry(application);
  const { rows, count } = telemetry;
  await expect(rows).toHaveCount(7);
  await expect(count, "the whole list grows by itself and says nothing").toHaveText("");
  await telemetry.choose("Kind", "Server");
  await expect(rows).toHaveCount(2);
  await expect(count).toHaveText("2 traces");
  await telemetry.choose("Status of the span", "Error");
  await expect(rows).toHaveCount(1);
  await expect(rows).toContainText("/orders/7");
  await expect(page).toHaveURL(/\?tab=traces&kind=server&status=error$/);
  await page.reload();
  await expect(rows).toHaveCount(1);
  await expect(page.getByRole("combobox", { name: "Kind" })).toHaveText("Server");
  await expect(page.getByRole("combobox", { name: "Status of the span" })).toHaveText("Error");

  await telemetry.search.fill("nowhere");
  await expect(page.getByRole("heading", { name: "No traces match" })).toBeVisible();
  await expect(count).toHaveText("0 traces");
  await expect(page.getByText("Waiting for the first request")).toBeHidden();
  await page.getByRole("button", { name: "Clear filters" }).click();
  await expect(rows).toHaveCount(7);
  await expect(telemetry.search).toHaveValue("");

  await telemetry.rootsOnly.click();
  await expect(rows).toHaveCount(2);
  await telemetry.traceId.fill(ORDER);
  await expect(rows).toHaveCount(1);
  await telemetry.rootsOnly.click();
  await expect(rows).toHaveCount(6);
  await telemetry.search.fill("ORDERS");
  await expect(rows).toHaveCount(3);
});

test("what arrives appears in a narrowed list only if it matches", async ({ application, latchkey }) => {
  const telemetry = new Telemetry(application);
  const key = await application.create("Another");
  await telemetry.search.fill("/cart");
  await expect(telemetry.rows).toHaveCount(0);
  await sendTrace(latchkey.url, key, "/elsewhere");
  await sendTrace(latchkey.url, key, "/cart/42");
  await expect(telemetry.row("/cart/42")).toBeVisible();
  await expect(telemetry.rows).toHaveCount(1);
});

test("a narrowed list goes on below the rows that were looked through", async ({ application, page, latchkey }) => {
  const telemetry = new Telemetry(application);
  const key = await application.create("Busy");
  await sendManyTraces(latchkey.url, key, 10_000);
  await telemetry.choose("Kind", "Producer");
  await expect(page.getByText("The newest ones were searched. Older ones may match.")).toBeVisible();
  await page.getByRole("button", { name: "Search older" }).click();
  await expect(telemetry.row("orders publish")).toBeVisible();
  // What is asked for again is the newest rows, where there is still none.
  for (let time = 0; time < 2; time++) {
    await page.waitForResponse((response) => response.url().includes("/api/traces/list"));
  }
  await expect(telemetry.row("orders publish")).toBeVisible();
  await expect(telemetry.rows).toHaveCount(1);
});

test("spans show kind and status, and none that is no request is without answer", async ({ application, page }) => {
  const telemetry = new Telemetry(application);
  const cell = (row: string, at: number) => telemetry.row(row).getByRole("cell").nth(at);
  for (const [row, status, kind] of [
    ["/orders/7", /^500\s*Error$/, "Server"],
    ["/health", /^200$/, "Server"],
    ["charge card", /^Error$/, "Internal"],
    ["authorize", /^Unset$/, "Client"],
    ["orders publish", /^Ok$/, "Producer"],
    ["orders process", /^Unset$/, "Consumer"],
  ] as const) {
    await expect(cell(row, 0)).toHaveText(status);
    await expect(cell(row, 1)).toHaveText(kind);
  }
  await expect(telemetry.row("/orders/7")).toContainText("POST /orders/{id}");
  await expect(page.getByText("No answer")).toBeHidden();
});

test("a row opens to attributes, events and stack traces", async ({ application, page }) => {
  const telemetry = new Telemetry(application);
  const details = telemetry.details("charge card");
  await expect(details).toHaveAttribute("aria-expanded", "false");
  // Anywhere in the row.
  await telemetry.row("charge card").click({ position: { x: 420, y: 10 } });
  await expect(details).toHaveAttribute("aria-expanded", "true");
  await expect(telemetry.part("Details")).toContainText(/Status\s*Error: card declined/);
  await expect(telemetry.part("Attributes")).toContainText(/attempt\s*1/);
  await expect(telemetry.part("Resource")).toContainText(/service\.name\s*shop/);
  await expect(telemetry.part("Events")).toContainText(/exception\.type\s*Declined/);
  await expect(telemetry.part("Stack trace")).toHaveText(STACK);
  const meta = JSON.parse(await telemetry.part("All of it as JSON").innerText()) as Record<string, unknown>;
  expect(meta).toMatchObject({ name: "charge card", kind: "internal" });
  // It stays open while the list is asked for again.
  await page.waitForResponse((response) => response.url().includes("/api/traces/list"));
  await expect(telemetry.part("Events")).toBeVisible();
  await details.click();
  await expect(telemetry.part("Details")).toBeHidden();

  await application.tab("Logs").click();
  await telemetry.details("Payment of order 7 declined").click();
  await expect(telemetry.part("Message")).toHaveText("Payment of order 7 declined");
  await expect(telemetry.part("Stack trace")).toHaveText(STACK);
});

test("a trace is a tree with an address of its own", async ({ application, page }) => {
  const telemetry = new Telemetry(application);
  await telemetry.row("authorize").getByRole("link", { name: `Open trace ${ORDER}` }).click();
  await expect(page).toHaveURL(new RegExp(`\\?tab=traces&trace=${ORDER}$`));
  await expect(page.getByRole("tabpanel")).toBeFocused();
  const tree = [
    ["/orders/7", "1"],
    ["charge card", "2"],
    ["authorize", "3"],
    ["orders publish", "2"],
    ["orders process", "3"],
    ["left behind", "1"],
  ] as const;
  await expect(telemetry.spans).toHaveCount(tree.length);
  for (const [at, [name, level]] of tree.entries()) {
    await expect(telemetry.spans.nth(at)).toContainText(name);
    await expect(telemetry.spans.nth(at)).toHaveAttribute("aria-level", level);
  }
  await expect(telemetry.spans.last()).toContainText("Its parent span is missing.");
  await expect(page.getByText("6 spans, 2 errors, 128 ms")).toBeVisible();
  await telemetry.details("charge card").click();
  await expect(telemetry.part("Stack trace")).toHaveText(STACK);
  // It stays open past the half second after which a skeleton would have gone.
  await page.waitForTimeout(600);
  await expect(telemetry.part("Stack trace")).toBeVisible();

  await page.reload();
  await expect(telemetry.spans).toHaveCount(tree.length);
  await page.getByRole("link", { name: "Logs of this trace" }).click();
  await expect(telemetry.traceId).toHaveValue(ORDER);
  await expect(telemetry.rows).toHaveCount(1);
  await page.goBack();
  await expect(telemetry.spans).toHaveCount(tree.length);
  await page.getByRole("link", { name: "All traces" }).click();
  await expect(telemetry.rows).toHaveCount(7);

  await page.goto(`${page.url().split("?")[0]}?tab=traces&trace=${"0".repeat(32)}`);
  await expect(page.getByRole("heading", { name: "No spans of this trace" })).toBeVisible();
});

test("logs are narrowed by level, text and trace", async ({ application, page }) => {
  const telemetry = new Telemetry(application);
  await application.tab("Logs").click();
  await telemetry.choose("Level", "warning");
  await expect(page).toHaveURL(/\?tab=logs&level=warning$/);
  await expect(telemetry.rows).toHaveCount(1);
  await telemetry.choose("Level", "debug");
  await expect(page.getByRole("heading", { name: "No logs match" })).toBeVisible();
  await telemetry.choose("Level", "Any level");
  await telemetry.search.fill("ORDER 7");
  await expect(telemetry.rows).toHaveCount(1);
  await telemetry.traceId.fill(HEALTH);
  await expect(telemetry.rows).toHaveCount(0);
  // The other list is of the same trace.
  await application.tab("Traces").click();
  await expect(telemetry.rows).toHaveCount(1);
  await expect(telemetry.rows).toContainText("/health");
});

test("a span is found, opened and seen in its trace by keyboard alone", async ({ application, page }) => {
  const telemetry = new Telemetry(application);
  await page.keyboard.press("/");
  await expect(telemetry.search).toBeFocused();
  await page.keyboard.type("charge");
  await page.keyboard.press("Enter");
  await expect(telemetry.rows).toHaveCount(1);
  await tabTo(page, telemetry.details("charge card"));
  await page.keyboard.press("Enter");
  await tabTo(page, telemetry.part("Stack trace"));
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.press("Shift+Tab");
  await expect(telemetry.rows.getByRole("link")).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("tabpanel")).toBeFocused();
  await tabTo(page, telemetry.details("orders process"));
  await page.keyboard.press("Space");
  await expect(telemetry.part("Details")).toContainText("Consumer");
});
