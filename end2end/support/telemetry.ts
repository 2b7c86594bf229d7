// What an application sends with OpenTelemetry, and the lists that show it.
import { expect, type Locator, type Page } from "@playwright/test";
import { choose } from "./api-keys.ts";
import { call } from "./api.ts";
import type { Dashboard } from "./dashboard.ts";

/** The trace of an order that fails, and the one of a health check. */
export const ORDER = "5b8efff798038103d269b633813fc60c";
export const HEALTH = "0af7651916cd43dd8448eb211c80319c";

export const STACK = 'Traceback (most recent call last):\n  File "shop.py", line 7, in charge\nshop.Declined: card declined';

/** OTLP's numbers for the kinds of spans. */
const KINDS = { internal: 1, server: 2, client: 3, producer: 4, consumer: 5 };

interface Sent {
  id: string;
  parent?: string;
  trace?: string;
  name: string;
  kind: keyof typeof KINDS;
  /** When it begins and ends, in milliseconds after the first. */
  ms: [number, number];
  status?: { code: number; message?: string };
  attributes?: Record<string, string | number>;
  events?: object[];
}

const SPANS: Sent[] = [
  {
    id: "01",
    name: "POST /orders/{id}",
    kind: "server",
    ms: [0, 128],
    status: { code: 2 },
    attributes: { "http.request.method": "POST", "url.path": "/orders/7", "http.response.status_code": 500, customer: "Zoë" },
  },
  {
    id: "02",
    parent: "01",
    name: "charge card",
    kind: "internal",
    ms: [4, 90],
    status: { code: 2, message: "card declined" },
    attributes: { attempt: 1 },
    events: [{ name: "exception", attributes: attributes({ "exception.type": "Declined", "exception.stacktrace": STACK }) }],
  },
  { id: "03", parent: "02", name: "authorize", kind: "client", ms: [10, 80] },
  { id: "04", parent: "01", name: "orders publish", kind: "producer", ms: [95, 99], status: { code: 1 } },
  { id: "05", parent: "04", name: "orders process", kind: "consumer", ms: [110, 120] },
  { id: "06", parent: "ff", name: "left behind", kind: "internal", ms: [100, 101] },
  {
    id: "07",
    trace: HEALTH,
    name: "GET",
    kind: "server",
    ms: [200, 201],
    attributes: { "http.request.method": "GET", "url.path": "/health", "http.response.status_code": 200 },
  },
];

function attributes(map: Record<string, string | number>): object[] {
  const value = (it: string | number) => (typeof it === "string" ? { stringValue: it } : { intValue: it });
  return Object.entries(map).map(([key, it]) => ({ key, value: value(it) }));
}

/** Sends both traces, and one line of a log that belongs to the first. */
export async function sendTelemetry(url: string, key: string): Promise<void> {
  const began = BigInt(Date.now() - 1_000) * 1_000_000n;
  const at = (ms: number) => String(began + BigInt(ms) * 1_000_000n);
  const spans = SPANS.map((span) => ({
    traceId: span.trace ?? ORDER,
    spanId: span.id.padStart(16, "0"),
    ...(span.parent ? { parentSpanId: span.parent.padStart(16, "0") } : {}),
    name: span.name,
    kind: KINDS[span.kind],
    startTimeUnixNano: at(span.ms[0]),
    endTimeUnixNano: at(span.ms[1]),
    status: span.status,
    attributes: attributes(span.attributes ?? {}),
    events: span.events?.map((event) => ({ ...event, timeUnixNano: at(span.ms[1]) })),
  }));
  const resource = { attributes: attributes({ "service.name": "shop" }) };
  const headers = { "x-api-key": key };
  const traces = { resourceSpans: [{ resource, scopeSpans: [{ spans }] }] };
  expect(await call(`${url}/v1/traces`, "POST", headers, traces)).toEqual({ status: 200, body: {} });
  const line = {
    timeUnixNano: at(90),
    severityText: "WARNING",
    body: { stringValue: "Payment of order 7 declined" },
    attributes: attributes({ "exception.stacktrace": STACK }),
    traceId: ORDER,
  };
  const logs = { resourceLogs: [{ resource, scopeLogs: [{ scope: { name: "shop.checkout" }, logRecords: [line] }] }] };
  expect(await call(`${url}/v1/logs`, "POST", headers, logs)).toEqual({ status: 200, body: {} });
}

/** Sends so many requests in one call, each newer than what was sent before. */
export async function sendManyTraces(url: string, key: string, count: number): Promise<void> {
  const now = Date.now();
  const traces = Array.from({ length: count }, (_, at) => ({
    timestamp: new Date(now + at).toISOString(),
    requestMethod: "GET",
    requestURL: `/filler/${at}`,
    responseStatus: 200,
    traceId: "filler",
    spanId: String(at),
    durationMs: 1,
  }));
  const answer = await call(`${url}/ingest/traces`, "POST", { "x-api-key": key }, { traces });
  expect(answer.body).toEqual({ accepted: count, rejected: 0, errors: [] });
}

/** The telemetry of the application whose page is open. */
export class Telemetry {
  readonly page: Page;

  constructor(readonly dashboard: Dashboard) {
    this.page = dashboard.page;
  }

  get filters(): Locator {
    return this.page.getByRole("search");
  }

  get search(): Locator {
    return this.filters.getByRole("searchbox", { name: /^Search/ });
  }

  get traceId(): Locator {
    return this.filters.getByRole("searchbox", { name: "Trace id" });
  }

  get rootsOnly(): Locator {
    return this.filters.getByRole("switch", { name: "Root spans only" });
  }

  get count(): Locator {
    return this.filters.getByRole("status");
  }

  async choose(list: "Kind" | "Status of the span" | "Level", option: string): Promise<void> {
    await choose(this.filters, list, option);
  }

  /** The items of whichever list is shown, without what is open below them. */
  get rows(): Locator {
    return this.page.getByRole("tabpanel").getByRole("row").filter({ has: this.page.getByRole("button", { name: /^Details of/ }) });
  }

  row(text: string): Locator {
    return this.rows.filter({ hasText: text });
  }

  details(of: string): Locator {
    return this.page.getByRole("button", { name: `Details of ${of}`, exact: true });
  }

  /** A part of what is open. */
  part(name: string): Locator {
    return this.page.getByRole("group", { name, exact: true });
  }

  /** The spans of the trace that is open. */
  get spans(): Locator {
    return this.page.getByRole("list", { name: "Spans" }).locator(":scope > li");
  }
}
