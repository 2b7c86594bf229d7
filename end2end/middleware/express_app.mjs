// An API that latchkey-express protects. Each door has the options that the environment names.
import express from "express";
import { caller, latchkey } from "latchkey-express";

/** @typedef {{ url: string, token: string, application_id?: string, scopes?: import("latchkey-express").ScopeQuery }} Door */
/** @typedef {Door & { cost?: number, timeout_ms?: number, cache_ms?: number, ip_header?: string, key_header?: string }} Options */
/** @type {Record<string, Options>} */
const doors = JSON.parse(process.env.DOORS ?? "{}");
const app = express();

app.get("/open", (_, response) => void response.send("open"));
for (const [name, { application_id, timeout_ms, cache_ms, ip_header, key_header, ...door }] of Object.entries(doors)) {
  const protect = latchkey({
    ...door,
    applicationId: application_id,
    timeoutMs: timeout_ms,
    cacheMs: cache_ms,
    ip: ip_header ? (request) => request.get(ip_header) : undefined,
    key: key_header ? (request) => request.get(key_header) : undefined,
  });
  app.all(`/${name}/who`, protect, express.text({ type: "*/*", limit: "2mb" }), (request, response) => {
    const { keyId, projectId, applicationId, externalId, ...same } = caller(request);
    const who = { key_id: keyId, project_id: projectId, application_id: applicationId, external_id: externalId, ...same };
    response.json({ ...who, body: request.body ?? "" });
    // No other request is told of it.
    same.tags.push("changed");
    for (const value of Object.values(same.metadata)) if (Array.isArray(value)) value.push("changed");
  });
}

app.listen(Number(process.env.PORT), "127.0.0.1");
