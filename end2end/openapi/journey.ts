// The way of a program that is written against types generated from /openapi.json: it makes a project and a key,
// has the key verified, revokes it, and reads what the audit log says of it. Every field is one of the document's.
import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { components, paths } from "./api.d.ts";

function setting(name: string): string {
  const value = process.env[name];
  assert(value, `${name} is not set`);
  return value;
}

const baseUrl = setting("LATCHKEY_URL");
const as = (token: string) => createClient<paths>({ baseUrl, headers: { authorization: `Bearer ${token}` } });
const person = as(setting("LATCHKEY_TOKEN"));
const backend = as(setting("LATCHKEY_SERVICE_KEY"));

const me = await person.GET("/v1/me");
const organization = me.data?.organizations[0];
assert(organization, "nobody is signed in");

const made = await person.POST("/v1/organizations/{id}/projects", {
  params: { path: { id: organization.id } },
  body: { name: "Typed in TypeScript" },
});
assert(made.data, JSON.stringify(made.error));

const created = await backend.POST("/v1/projects/{projectId}/keys", {
  params: { path: { projectId: setting("LATCHKEY_PROJECT") }, header: { "Idempotency-Key": crypto.randomUUID() } },
  body: { name: "TypeScript", environment: "live", rpm: 600 },
});
assert(created.data, JSON.stringify(created.error));
const { key, api_key: { id } } = created.data;

async function verified(): Promise<components["schemas"]["VerifyAnswer"]> {
  const { data, error } = await backend.POST("/v1/keys/verify", { body: { key, cost: 1 } });
  assert(data, JSON.stringify(error));
  return data;
}
const before = await verified();
assert.deepEqual([before.valid, before.code, before.key_id, before.ratelimit?.limit], [true, "valid", id, 600]);

const revoked = await backend.DELETE("/v1/keys/{keyId}", { params: { path: { keyId: id } } });
assert.equal(revoked.response.status, 204);
const after = await verified();
assert.deepEqual([after.valid, after.code], [false, "revoked_key"]);

const wrong = await backend.POST("/v1/keys/verify", { body: { key, ip: "no address" } });
assert.equal(wrong.error?.code, "invalid");
assert.deepEqual(wrong.error?.errors?.map((one) => one.field), ["ip"]);

const log = await person.GET("/v1/organizations/{id}/audit", {
  params: { path: { id: organization.id }, query: { action: "key.revoked", limit: 1 } },
});
assert.deepEqual(log.data?.data.map((event) => [event.action, event.target.id]), [["key.revoked", id]]);
console.log("openapi-typescript, openapi-fetch: made, verified, revoked and found in the audit log");
