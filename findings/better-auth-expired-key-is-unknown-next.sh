#!/usr/bin/env bash
# Better Auth deletes an expired key when it is presented: its client is told KEY_EXPIRED once, and from then on
# INVALID_API_KEY, as for a key that never was. A key whose uses are used up goes the same way, after USAGE_EXCEEDED; a
# disabled one stays. The guess was that each key is refused for one reason for good. So an export has only those expired
# keys that nobody has presented, and what was deleted is in no table.
set -euo pipefail

WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
cd "$WORK"
printf '{"private": true, "type": "module"}' >package.json
npm install --silent --ignore-scripts --no-audit --no-fund better-auth@1.7.5 @better-auth/api-key@1.7.5 \
    @better-auth/core@1.7.5 @better-auth/utils@0.4.2 better-call@1.4.0
cat >told.mjs <<'JS'
import { setTimeout as sleep } from "node:timers/promises";

import { apiKey } from "@better-auth/api-key";
import { betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";

const now = new Date();
const user = { id: "u1", name: "Mira", email: "mira@example.com", emailVerified: true, createdAt: now, updatedAt: now };
const tables = { user: [user], session: [], account: [], verification: [], apikey: [] };
const auth = betterAuth({
  baseURL: "http://127.0.0.1",
  secret: "a secret that signs nothing here, but is long enough",
  database: memoryAdapter(tables),
  logger: { disabled: true },
  telemetry: { enabled: false },
  plugins: [apiKey({ keyExpiration: { minExpiresIn: 0 } })],
});
const create = (kind) => auth.api.createApiKey({ body: { ...kind, userId: user.id } });
const keys = {
  expired: await create({ expiresIn: 1 }),
  "used up": await create({ remaining: 1 }),
  disabled: await create({}),
};
await auth.api.updateApiKey({ body: { keyId: keys.disabled.id, userId: user.id, enabled: false } });
await auth.api.verifyApiKey({ body: { key: keys["used up"].key } });
await sleep(1500);
for (const [name, { key }] of Object.entries(keys)) {
  const told = [];
  for (let time = 0; time < 2; time++) told.push((await auth.api.verifyApiKey({ body: { key } })).error.code);
  console.log(`${name}: ${told.join(", ")}`);
}
console.log(`rows: ${tables.apikey.length}`);
JS
node told.mjs | tee told
printf '%s\n' 'expired: KEY_EXPIRED, INVALID_API_KEY' 'used up: USAGE_EXCEEDED, INVALID_API_KEY' \
    'disabled: KEY_DISABLED, KEY_DISABLED' 'rows: 1' |
    cmp -s - told || { echo 'this has changed' >&2; exit 1; }
