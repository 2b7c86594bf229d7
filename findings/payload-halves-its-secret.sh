#!/usr/bin/env bash
# Payload finds an API key by an HMAC-SHA-256 in `apiKeyIndex`. Its key is not PAYLOAD_SECRET, nor its SHA-256: it is the
# first 32 characters of that digest's hexadecimal form, as text. An HMAC with the secret of the settings, or with 32 or 16
# bytes of the digest, finds nothing. Keys that were saved before 3.46.0 have an HMAC-SHA-1 there, of 40 characters.
set -euo pipefail

WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
cd "$WORK"
npm pack --silent payload@3.90.2 >/dev/null
tar -xzf payload-*.tgz
cat >index.mjs <<'NODE'
import { createHash, createHmac } from "node:crypto";
import { readFileSync } from "node:fs";

import { APIKeyAuthentication } from "./package/dist/auth/strategies/apiKey.js";

// How the secret of the settings becomes `payload.secret`.
const derived = /this\.secret = .*createHash\('sha256'\)\.update\(this\.config\.secret\)\.digest\('hex'\)\.slice\(0, 32\)/;
const line = readFileSync("package/dist/index.js", "utf8").match(derived)?.[0];
const secret = createHash("sha256").update("PAYLOAD_SECRET").digest("hex").slice(0, 32);

// What a key is looked up by.
const apiKey = "7f0a3a51-6a0e-4d0a-9a7e-0d7f6ad3c1b2";
let asked;
const payload = { secret, find: async ({ where }) => ((asked = where), { docs: [] }) };
const headers = new Headers({ authorization: `users API-Key ${apiKey}` });
await APIKeyAuthentication({ slug: "users", auth: {} })({ headers, payload });
const expected = createHmac("sha256", secret).update(apiKey).digest("hex");
console.log(line, JSON.stringify(asked));
if (!line || !JSON.stringify(asked).includes(expected)) throw new Error("this has changed");
NODE
node index.mjs
