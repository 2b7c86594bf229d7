// The middleware of clients/, installed from its folders, before a real Latchkey: who comes in, what the handler is
// told, and what everybody else is told. No browser is needed.
import { request as httpRequest } from "node:http";
import { checkTypes, doorOf, expect, MIDDLEWARE, ODD, test, type Issuer, type Key, type Middleware, type Protected } from "../support/middleware.ts";

// One after the other, in one worker: packages are installed once.
test.describe.configure({ mode: "default" });

const UNAVAILABLE = { "retry-after": "1" };

/** Asks for a door as the holder of a key. */
async function enter(api: Protected, door: string, secret?: string, more: RequestInit = {}): Promise<Response> {
  const headers = { ...(secret === undefined ? {} : { "x-api-key": secret }), ...more.headers };
  return fetch(`${api.url}/${door}/who`, { ...more, headers });
}

/** The answer is this refusal, in the form of all of them. */
async function expectRefusal(response: Response, status: number, code: string, headers: Record<string, unknown> = {}): Promise<void> {
  const text = await response.text();
  expect.soft([response.status, response.headers.get("content-type")], `${code}: ${text}`).toEqual([status, expect.stringMatching(/^application\/problem\+json/)]);
  const title = { 401: "Unauthorized", 403: "Forbidden", 429: "Too Many Requests", 503: "Service Unavailable" }[status];
  expect.soft(JSON.parse(text)).toEqual({ type: "about:blank", title, status, code, detail: expect.stringMatching(/^\w.+\.$/) });
  const seen = Object.fromEntries(response.headers);
  expect.soft(seen, code).toEqual(expect.objectContaining({ "cache-control": "no-store", ...headers }));
  expect.soft(seen["www-authenticate"], code).toBe(status === 401 ? 'ApiKey realm="latchkey", Bearer realm="latchkey"' : undefined);
  if (!("retry-after" in headers)) expect.soft(seen["retry-after"], code).toBeUndefined();
}

async function expectCaller(response: Response, who: Record<string, unknown>): Promise<void> {
  expect.soft(response.status, await response.clone().text()).toBe(200);
  expect.soft(await response.json()).toEqual(expect.objectContaining(who));
}

/** Tells each middleware's tests apart, as names of keys are unique. */
let keys = 0;
const key = (issuer: Issuer, limits: object = {}): Promise<Key> => issuer.key(`Key ${++keys}`, limits);

/** A handshake for a WebSocket: its status. */
async function upgrade(url: string, headers: Record<string, string>): Promise<number | undefined> {
  return new Promise((done, failed) => {
    const handshake = { connection: "Upgrade", upgrade: "websocket", "sec-websocket-version": "13", "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==" };
    const request = httpRequest(url, { headers: { ...handshake, ...headers } });
    request.once("error", failed);
    request.once("response", (response) => done(response.resume().statusCode));
    request.once("upgrade", (response, socket) => done((socket.destroy(), response.statusCode)));
    request.end();
  });
}

test("the packages are what their types say", async ({ apis }) => {
  await apis("Express");
  await checkTypes();
});

for (const middleware of MIDDLEWARE satisfies readonly Middleware[]) {
  test.describe(middleware, () => {
    let api: Protected;
    test.beforeEach(async ({ apis }) => void (api = await apis(middleware)));

    test("the handler is told who called", async ({ issuer }) => {
      const one = await key(issuer);
      const other = await key(issuer, { environment: "test", application_id: issuer.applicationId });
      const who = { project_id: issuer.projectId, scopes: [], metadata: {}, tags: [], body: "" };
      await expectCaller(await enter(api, "plain", one.secret), { ...who, key_id: one.id, environment: "live", name: `Key ${keys - 1}` });
      const answer = await enter(api, "plain", other.secret);
      await expectCaller(answer, { ...who, key_id: other.id, environment: "test", name: `Key ${keys}`, application_id: issuer.applicationId });
      expect.soft(answer.headers.get("x-ratelimit-limit-requests")).toBeNull();
      const body = "a".repeat(1_000_000);
      await expectCaller(await enter(api, "plain", one.secret, { method: "POST", body, headers: { "content-type": "text/plain" } }), { key_id: one.id, body });
      expect.soft((await enter(api, "plain", one.secret, { method: "HEAD" })).status).toBe(200);
    });

    test("the handler is told the attributes of a key", async ({ issuer }) => {
      const attributes = { external_id: "user_17", metadata: { plan: "gold", seats: [1, 2.5], "Zoë": null }, tags: ["eu", "paid"], scopes: ["orders:*"] };
      const one = await key(issuer, attributes);
      await expectCaller(await enter(api, "plain", one.secret), { key_id: one.id, ...attributes });
    });

    test("a key is taken from x-api-key, else from Authorization, or as configured", async ({ issuer }) => {
      const [one, other] = [await key(issuer), await key(issuer)];
      const bearer = (secret: string) => ({ headers: { authorization: `bearer ${secret}` } });
      await expectCaller(await enter(api, "plain", undefined, bearer(one.secret)), { key_id: one.id });
      await expectCaller(await enter(api, "plain", one.secret, bearer(other.secret)), { key_id: one.id });
      await expectCaller(await enter(api, "plain", "", bearer(other.secret)), { key_id: other.id });
      await expectRefusal(await enter(api, "plain", "nonsense", bearer(other.secret)), 401, "malformed_key");
      await expectRefusal(await enter(api, "plain", undefined, { headers: { authorization: `Basic ${one.secret}` } }), 401, "missing_key");
      await expectCaller(await enter(api, "own", undefined, { headers: { "x-shop-key": one.secret } }), { key_id: one.id });
      await expectRefusal(await enter(api, "own", one.secret), 401, "missing_key");
    });

    test("a bad key is 401", async ({ issuer }) => {
      await expectRefusal(await enter(api, "plain"), 401, "missing_key");
      await expectRefusal(await enter(api, "plain", "nonsense"), 401, "malformed_key");
      await expectRefusal(await enter(api, "plain", "näh"), 401, "malformed_key");
      const one = await key(issuer);
      expect.soft((await enter(api, "plain", one.secret)).status).toBe(200);
      await issuer.revoke(one);
      await expectRefusal(await enter(api, "plain", one.secret), 401, "revoked_key");
      expect.soft((await enter(api, "plain", one.secret, { method: "HEAD" })).status).toBe(401);
      expect.soft((await enter(api, "plain", one.secret, { method: "POST", body: "a".repeat(100_000) })).status).toBe(401);
      expect.soft((await fetch(`${api.url}/open`)).status).toBe(200);
    });

    test("a disabled key is 401 until it is enabled", async ({ issuer }) => {
      const one = await key(issuer, { disabled: true });
      await expectRefusal(await enter(api, "plain", one.secret), 401, "disabled_key");
      await issuer.change(one, { disabled: false });
      await expectCaller(await enter(api, "plain", one.secret), { key_id: one.id });
    });

    test("a key for something else is 403", async ({ issuer }) => {
      const [one, own] = [await key(issuer), await key(issuer, { application_id: issuer.applicationId })];
      await expectCaller(await enter(api, "application", one.secret), { key_id: one.id });
      await expectCaller(await enter(api, "application", own.secret), { key_id: own.id });
      const bound = await key(issuer, { allowed_cidrs: ["203.0.113.0/24"] });
      const from = (ip: string) => enter(api, "bound", bound.secret, { headers: { "x-test-ip": ip } });
      await expectCaller(await from("203.0.113.7"), { key_id: bound.id });
      for (const ip of ["203.0.114.7", "2001:db8::1", "fe80::1%eth0", "nonsense", "203.0.113.7:80", "0xcb.0.113.7", ""]) {
        await expectRefusal(await from(ip), 403, "ip_not_allowed");
      }
      await expectRefusal(await enter(api, "plain", bound.secret), 403, "ip_not_allowed");
      await expectRefusal(await enter(api, "later", one.secret), 403, "wrong_moon");
    });

    test("a key without the scopes is 403", async ({ issuer }) => {
      const [none, read, all] = [await key(issuer), await key(issuer, { scopes: ["orders:read"] }), await key(issuer, { scopes: ["orders:*"] })];
      await expectRefusal(await enter(api, "orders", none.secret), 403, "insufficient_scope");
      await expectCaller(await enter(api, "orders", read.secret), { key_id: read.id, scopes: ["orders:read"] });
      await expectRefusal(await enter(api, "either", read.secret), 403, "insufficient_scope");
      await expectCaller(await enter(api, "either", all.secret), { key_id: all.id });
    });

    test("a limited key is 429, with when to come back", async ({ issuer }) => {
      const one = await key(issuer, { rpm: 1, tpm: 100 });
      const first = await enter(api, "costly", one.secret);
      await expectCaller(first, { key_id: one.id });
      const names = ["limit-requests", "remaining-requests", "limit-tokens", "remaining-tokens"];
      expect.soft(names.map((name) => first.headers.get(`x-ratelimit-${name}`))).toEqual(["1", "0", "100", "40"]);
      const wait = { "retry-after": expect.stringMatching(/^([1-9]|[1-5]\d|60)$/) };
      const state = { "x-ratelimit-limit-requests": "1", "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": expect.stringMatching(/^\d+\.\d{3}s$/) };
      await expectRefusal(await enter(api, "costly", one.secret), 429, "rate_limited", { ...wait, ...state });
      const other = await key(issuer, { tpm: 100 });
      expect.soft((await enter(api, "costly", other.secret)).status).toBe(200);
      await expectRefusal(await enter(api, "costly", other.secret), 429, "token_rate_limited", { ...wait, "x-ratelimit-remaining-tokens": "40" });
      const small = await key(issuer, { tpm: 10 });
      await expectRefusal(await enter(api, "costly", small.secret), 429, "token_rate_limited", { "x-ratelimit-limit-tokens": "10" });
    });

    test("nobody comes in if Latchkey can't be asked", async ({ issuer, impostor }) => {
      const one = await key(issuer);
      const doors = { wrong: /Latchkey answered 401; check that/, powerless: /Latchkey answered 403; check that/, away: /Latchkey can't be asked/, silent: /300 ?ms|0\.3 s|deadline exceeded|in time/ };
      for (const [door, says] of Object.entries(doors)) {
        await expectRefusal(await enter(api, door, one.secret), 503, "unavailable", UNAVAILABLE);
        await expect.poll(api.log, door).toMatch(says);
      }
      for (const words of Object.keys(ODD)) {
        await expectRefusal(await enter(api, doorOf(words), one.secret), 503, "unavailable", UNAVAILABLE);
      }
      expect(impostor.followed, "the service key follows no redirect").toBe(0);
    });

    test("the call is given up when the client goes", async ({ impostor }) => {
      const { waiting, givenUp } = impostor;
      const client = new AbortController();
      const left = enter(api, "patient", "any", { signal: client.signal }).catch((error: Error) => error.name);
      await expect.poll(() => impostor.waiting).toBe(waiting + 1);
      client.abort();
      expect(await left).toBe("AbortError");
      await expect.poll(() => impostor.givenUp, { timeout: 2_000 }).toBe(givenUp + 1);
      expect(await api.log()).not.toMatch(/abort|cancel/i);
    });

    test("a cached answer holds for at most a second", async ({ issuer }) => {
      const attributes = { tags: ["eu"], metadata: { seats: [1, 2] } };
      const one = await key(issuer, { rpm: 2, ...attributes });
      // Each time as it is, though the handler changes what it was told.
      for (let call = 0; call < 5; call++) await expectCaller(await enter(api, "cached", one.secret), { key_id: one.id, ...attributes });
      await expectRefusal(await enter(api, "cached", `${one.secret}x`), 401, "malformed_key");
      expect.soft((await enter(api, "plain", one.secret)).headers.get("x-ratelimit-remaining-requests"), "one call was counted").toBe("0");
      const revoked = await key(issuer);
      await expectCaller(await enter(api, "cached", revoked.secret), { key_id: revoked.id });
      await issuer.revoke(revoked);
      await expectRefusal(await enter(api, "plain", revoked.secret), 401, "revoked_key");
      await new Promise((done) => setTimeout(done, 1_000));
      await expectRefusal(await enter(api, "cached", revoked.secret), 401, "revoked_key");
    });

    if (middleware === "FastAPI") {
      test("a WebSocket is refused like a request", async ({ issuer }) => {
        const one = await key(issuer);
        const socket = `${api.url}/plain/socket`;
        expect(await upgrade(socket, { "x-api-key": one.secret })).toBe(101);
        expect(await upgrade(socket, {})).toBe(401);
        expect(await upgrade(`${api.url}/away/socket`, { "x-api-key": one.secret })).toBe(503);
      });
    }

    if (middleware === "net/http") {
      test("a time-out of the program is a refusal", async () => {
        const answer = await fetch(`${api.url}/patient/hurried`, { headers: { "x-api-key": "any" } });
        await expectRefusal(answer, 503, "unavailable", UNAVAILABLE);
      });
    }

    test("no secret stands in a log", async ({ issuer }) => {
      const log = await api.log();
      for (const secret of issuer.secrets) expect.soft(log).not.toContain(secret.slice(8));
    });
  });
}
