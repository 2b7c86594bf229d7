// Rows of Better Auth, made and checked by its own API key plugin.
//
//   node better-auth.mjs make             prints a row for each kind of key, with the key
//   node better-auth.mjs accept < lines   fails unless each key is valid with its row
import { readFileSync } from "node:fs";

import { apiKey } from "@better-auth/api-key";
import { betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";

const version = JSON.parse(readFileSync(new URL("package.json", import.meta.url), "utf8")).dependencies["better-auth"];
const now = new Date();
const user = { id: "u1", name: "Mira", email: "mira@example.com", emailVerified: true, createdAt: now, updatedAt: now };
const tables = { user: [user], session: [], account: [], verification: [], apikey: [] };
const auth = betterAuth({
  baseURL: "http://127.0.0.1",
  secret: "a secret that signs nothing here, but is long enough",
  database: memoryAdapter(tables),
  logger: { disabled: true },
  telemetry: { enabled: false },
  plugins: [apiKey({ enableMetadata: true })],
});

async function make() {
  const kinds = [
    { name: "plain" },
    {
      name: "full",
      prefix: "shop_",
      expiresIn: 300 * 24 * 60 * 60,
      remaining: 100,
      rateLimitEnabled: true,
      rateLimitMax: 60,
      rateLimitTimeWindow: 60_000,
      permissions: { files: ["read", "write"] },
      metadata: { plan: "pro" },
    },
  ];
  for (const kind of kinds) {
    const { key, id } = await auth.api.createApiKey({ body: { ...kind, userId: user.id } });
    const row = tables.apikey.find((row) => row.id === id);
    console.log(JSON.stringify({ made_by: `better-auth ${version}`, preset: "better-auth", key, row }));
  }
}

async function accept(lines) {
  const times = ["lastRefillAt", "lastRequest", "expiresAt", "createdAt", "updatedAt"];
  for (const { key, row } of lines) {
    for (const column of times) if (row[column]) row[column] = new Date(row[column]);
    tables.apikey.push(row);
    const { valid, error } = await auth.api.verifyApiKey({ body: { key } });
    if (!valid) throw new Error(`${row.name}: ${JSON.stringify(error)}`);
  }
}

if (process.argv[2] === "make") await make();
else await accept(readFileSync(0, "utf8").trim().split("\n").map((line) => JSON.parse(line)));
