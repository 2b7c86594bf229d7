// An API that latchkey-hono protects. Each door has the options that the environment names.
import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { latchkey } from "latchkey-hono";

/** @typedef {{ url: string, token: string, application_id?: string, scopes?: import("latchkey-hono").ScopeQuery }} Door */
/** @typedef {Door & { cost?: number, timeout_ms?: number, cache_ms?: number, ip_header?: string, key_header?: string }} Options */
/** @type {Record<string, Options>} */
const doors = JSON.parse(process.env.DOORS ?? "{}");
const app = new Hono();

app.get("/open", (context) => context.text("open"));
for (const [name, { application_id, timeout_ms, cache_ms, ip_header, key_header, ...door }] of Object.entries(doors)) {
  const protect = latchkey({
    ...door,
    applicationId: application_id,
    timeoutMs: timeout_ms,
    cacheMs: cache_ms,
    ip: ip_header ? (context) => context.req.header(ip_header) : undefined,
    key: key_header ? (context) => context.req.header(key_header) : undefined,
  });
  app.all(`/${name}/who`, protect, async (context) => {
    const { keyId, projectId, applicationId, externalId, ...same } = context.get("latchkey");
    const who = { key_id: keyId, project_id: projectId, application_id: applicationId, external_id: externalId, ...same };
    const response = Response.json({ ...who, body: await context.req.text() });
    // No other request is told of it.
    same.tags.push("changed");
    for (const value of Object.values(same.metadata)) if (Array.isArray(value)) value.push("changed");
    return response;
  });
}

serve({ fetch: app.fetch, hostname: "127.0.0.1", port: Number(process.env.PORT) });
