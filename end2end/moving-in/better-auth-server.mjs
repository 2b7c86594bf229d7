// A server whose clients present API keys. Better Auth makes the keys and checks them, in an SQLite file with the tables of
// its own migrations. After the move the server asks Latchkey instead; to its clients nothing changes.
//
//   better-auth-server.mjs PORT FILE            POST /make makes keys of each kind and shows them by name
//   better-auth-server.mjs PORT FILE CHECK_URL  GET /files wants a key, in x-api-key, that this says is good
import { createServer } from "node:http";

import { apiKey } from "@better-auth/api-key";
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import { SqliteDialect } from "kysely";
import Database from "libsql";

const [port, file, checkUrl] = process.argv.slice(2);
const DAY = 24 * 60 * 60;
const MINUTE_MS = 60_000;

// npm has this build of SQLite whole. better-sqlite3, which Better Auth's documentation names, compiles when it is
// installed, or downloads from where no registry is.
const options = {
  baseURL: `http://127.0.0.1:${port}`,
  secret: "a secret that signs nothing here, but is long enough",
  database: { dialect: new SqliteDialect({ database: new Database(file) }), type: "sqlite", transaction: true },
  emailAndPassword: { enabled: true },
  telemetry: { enabled: false },
  plugins: [apiKey({ enableMetadata: true, keyExpiration: { minExpiresIn: 0 } })],
};
const auth = betterAuth(options);

async function make() {
  await (await getMigrations(options)).runMigrations();
  const body = { name: "Mira", email: "mira@example.com", password: "a long password" };
  const userId = (await auth.api.signUpEmail({ body })).user.id;
  const create = async (kind) => (await auth.api.createApiKey({ body: { ...kind, userId } })).key;
  const keys = {
    plain: await create({ name: "plain" }),
    full: await create({
      name: "full",
      prefix: "shop_",
      expiresIn: 300 * DAY,
      rateLimitMax: 60,
      rateLimitTimeWindow: MINUTE_MS,
      permissions: { files: ["read", "write"] },
      metadata: { plan: "pro", nested: { of: ["any", 1, null] } },
    }),
    "three uses": await create({ name: "three uses", remaining: 3 }),
    "one use": await create({ name: "one use", remaining: 1 }),
    refilled: await create({ name: "refilled", remaining: 2, refillAmount: 2, refillInterval: DAY * 1000 }),
    "two a minute": await create({ name: "two a minute", rateLimitMax: 2, rateLimitTimeWindow: MINUTE_MS }),
    unlimited: await create({ name: "unlimited", rateLimitEnabled: false }),
    expired: await create({ name: "expired" }),
    disabled: await create({ name: "disabled" }),
    deleted: await create({ name: "deleted" }),
  };
  return { userId, keys };
}

async function change({ key, ...change }) {
  const { key: found } = await auth.api.verifyApiKey({ body: { key } });
  const { headers } = await auth.api.signInEmail({
    body: { email: "mira@example.com", password: "a long password" },
    returnHeaders: true,
  });
  const cookie = headers.getSetCookie().map((one) => one.split(";")[0]).join("; ");
  if (change.delete) return auth.api.deleteApiKey({ body: { keyId: found.id }, headers: new Headers({ cookie }) });
  return auth.api.updateApiKey({ body: { keyId: found.id, userId: found.referenceId, ...change } });
}

/** Whether a key is good, and what is wrong with it. */
async function check(key) {
  if (checkUrl) {
    const answer = await fetch(checkUrl, { headers: { "x-api-key": key ?? "" } });
    return answer.ok ? null : `${answer.status} ${(await answer.json()).code}`;
  }
  if (!key) return "401 no key";
  const { valid, error } = await auth.api.verifyApiKey({ body: { key } });
  return valid ? null : `401 ${error.code}`;
}

async function answer(request) {
  let body = "";
  for await (const part of request.setEncoding("utf8")) body += part;
  if (request.url === "/ready") return [200, {}];
  if (request.url === "/make") return [200, await make()];
  if (request.url === "/change") return [200, await change(JSON.parse(body))];
  const refusal = await check(request.headers["x-api-key"]);
  return refusal ? [Number(refusal.slice(0, 3)), { error: refusal }] : [200, { files: ["invoice.pdf"] }];
}

createServer(async (request, response) => {
  const [status, body] = await answer(request).catch((error) => [500, { error: `${error.stack ?? error}` }]);
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}).listen(Number(port), "127.0.0.1");
