// Better Auth's API keys as forward authentication: 200 for a good key, 401 for any other.
//
// As quick as it gets: its records are in memory, its own rate limit, which would refuse the eleventh check of a day,
// is off, and it writes no log. Started by `make bench-doors`: `node server.mjs PORT` prints the key when it listens.
import { randomBytes } from "node:crypto";
import { createServer } from "node:http";

import { apiKey } from "@better-auth/api-key";
import { betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";

const now = new Date();
const user = { id: "bench", name: "Bench", email: "bench@example.com", emailVerified: true, createdAt: now, updatedAt: now };
const auth = betterAuth({
  baseURL: "http://127.0.0.1",
  secret: randomBytes(32).toString("hex"),
  database: memoryAdapter({ user: [user], session: [], account: [], verification: [], apikey: [] }),
  logger: { disabled: true },
  telemetry: { enabled: false },
  plugins: [apiKey({ rateLimit: { enabled: false } })],
});
const { key } = await auth.api.createApiKey({ body: { userId: user.id, name: "bench" } });

const server = createServer(async (request, response) => {
  const presented = request.headers["x-api-key"];
  const valid = presented !== undefined && (await auth.api.verifyApiKey({ body: { key: presented } })).valid;
  response.writeHead(valid ? 200 : 401, { "content-length": 0 }).end();
});
server.keepAliveTimeout = 60_000;
server.listen(Number(process.argv[2]), "127.0.0.1", () => console.log(key));
