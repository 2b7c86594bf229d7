// OpenTelemetry's exporters for Python and JavaScript deliver as they are, with only endpoint and header set.
import { call } from "../support/api.ts";
import type { Dashboard } from "../support/dashboard.ts";
import { expect, test } from "../support/fixtures.ts";
import { runShop, type Exporting, type Sdk } from "../support/otel.ts";

type Row = Record<string, unknown>;

/** What the application has received, newest first. */
async function received(application: Dashboard, what: "traces" | "logs"): Promise<Row[]> {
  const url = `${application.url}/v1/applications/${application.applicationId}/${what}`;
  const answer = await call(url, "GET", { authorization: `Bearer ${await application.token()}` });
  expect(answer.status).toBe(200);
  return (answer.body as { data: Row[] }).data;
}

const WAYS: [Sdk, (key: string) => Omit<Exporting, "endpoint">][] = [
  ["Python, protobuf", (key) => ({ headers: `x-api-key=${key}` })],
  ["Python, protobuf", (key) => ({ headers: `Authorization=Bearer%20${key}`, compression: "gzip" })],
  ["JavaScript, protobuf", (key) => ({ headers: `x-api-key=${key}`, compression: "gzip" })],
  ["JavaScript, JSON", (key) => ({ headers: `Authorization=Bearer%20${key}` })],
  ["JavaScript, JSON", (key) => ({ headers: `x-api-key=${key}`, compression: "gzip" })],
];

for (const [sdk, way] of WAYS) {
  const { headers, compression } = way("the key");
  test(`traces and logs arrive from ${sdk}, ${compression ?? "unpacked"}, with ${headers.split("=")[0]}`, async ({ application, latchkey }) => {
    const key = await application.create("Shop");
    const traceId = await runShop(sdk, { endpoint: latchkey.url, ...way(key) });
    expect(traceId).toMatch(/^[0-9a-f]{32}$/);

    const traces = await received(application, "traces");
    expect(traces).toHaveLength(2);
    const request = traces.find((row) => row.requestMethod === "POST");
    const charge = traces.find((row) => row !== request);
    expect(request).toMatchObject({
      traceId,
      requestURL: "/orders?full=1",
      responseStatus: 201,
      parentSpanId: null,
      meta: { name: "POST /orders", kind: "server", attributes: { customer: "Zoë 🗝️", amounts: [1.5, 2] }, scope: { name: "shop.checkout", version: "1.2.3" } },
    });
    expect(charge).toMatchObject({
      traceId,
      requestURL: "charge card",
      responseStatus: 0,
      parentSpanId: request?.spanId,
      meta: { kind: "internal", status: { code: "error", message: "card declined" }, events: [{ name: "declined", attributes: { attempt: 1 } }] },
    });
    for (const row of traces) {
      expect(Math.abs(Date.now() - Date.parse(row.timestamp as string))).toBeLessThan(60_000);
      expect(row.durationMs as number).toBeLessThan(10_000);
    }

    const logs = await received(application, "logs");
    expect(logs).toHaveLength(2);
    expect(logs).toContainEqual(expect.objectContaining({ traceId, type: "shop.checkout", level: expect.stringMatching(/^warn/i), message: "Payment of order 7 declined" }));
    expect(logs).toContainEqual(expect.objectContaining({ traceId: null, level: expect.stringMatching(/^info$/i), message: "outside any span" }));

    await expect(application.telemetryRow("/orders?full=1")).toContainText("201");
  });
}

for (const sdk of ["Python, protobuf", "JavaScript, JSON"] as const) {
  test(`the exporters of ${sdk} say that a revoked key delivers nothing`, async ({ application, latchkey }) => {
    const key = await application.create("Shop");
    await application.revoke("Shop");
    await expect(runShop(sdk, { endpoint: latchkey.url, headers: `x-api-key=${key}` })).rejects.toThrow(/401|Unauthorized/);
    expect(await received(application, "traces")).toEqual([]);
  });
}
