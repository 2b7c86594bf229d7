// What an application's program does: calls the HTTP API, outside any browser.

/** An answer, read. */
export interface Answer {
  status: number;
  body: unknown;
}

export async function call(url: string, method: string, headers: Record<string, string>, body?: unknown): Promise<Answer> {
  const response = await fetch(url, {
    method,
    headers: { ...headers, ...(body === undefined ? {} : { "content-type": "application/json" }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  const json = response.headers.get("content-type")?.includes("json") ?? false;
  return { status: response.status, body: json ? JSON.parse(text) : text };
}

/** Reports one served request, as an SDK does. A key that is for all applications names one. */
export async function sendTrace(
  url: string,
  key: string,
  requestURL: string,
  responseStatus = 200,
  application?: string,
): Promise<Answer> {
  const now = new Date().toISOString();
  const trace = {
    timestamp: now,
    requestMethod: "GET",
    requestURL,
    responseStatus,
    traceId: "4bf92f3577b34da6a3ce929d0e0e4736",
    spanId: "00f067aa0ba902b7",
    parentSpanId: null,
    durationMs: 12.5,
    meta: { region: "eu-1" },
  };
  const headers = { "x-api-key": key, ...(application ? { "x-application-id": application } : {}) };
  return call(`${url}/ingest/traces`, "POST", headers, { timestamp: now, traces: [trace] });
}

/** Sends one line of a log. */
export async function sendLog(url: string, key: string, level: string, message: string): Promise<Answer> {
  const now = new Date().toISOString();
  const log = { traceId: null, level, type: "app", message, timestamp: now, clientTimestamp: now };
  return call(`${url}/ingest/logs`, "POST", { "x-api-key": key }, { timestamp: now, logs: [log] });
}

/** The status of the server when it is asked who holds this token. */
export async function whoAmI(url: string, token: string): Promise<number> {
  return (await call(`${url}/v1/me`, "GET", { authorization: `Bearer ${token}` })).status;
}
