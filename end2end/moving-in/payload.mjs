// Rows of Payload, made and checked by Payload itself on an empty PostgreSQL that LATCHKEY_TEST_POSTGRES_URL names.
//
//   node payload.mjs     prints a row for each kind of key, with the key and the secret of Payload's settings
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";

import { postgresAdapter } from "@payloadcms/db-postgres";
import { buildConfig, getPayload } from "payload";
import pg from "pg";

const { dependencies } = JSON.parse(readFileSync(new URL("package.json", import.meta.url), "utf8"));
const connectionString = process.env.LATCHKEY_TEST_POSTGRES_URL;
const secret = "a secret that only these keys have";
const config = buildConfig({
  secret,
  collections: [{ slug: "users", auth: { useAPIKey: true }, fields: [{ name: "name", type: "text" }] }],
  db: postgresAdapter({ pool: { connectionString } }),
  telemetry: false,
  typescript: { autoGenerate: false },
});
const payload = await getPayload({ config });
const pool = new pg.Pool({ connectionString });

for (const name of ["billing", undefined]) {
  const apiKey = randomUUID();
  const data = { name, email: `${name}@example.com`, password: randomUUID(), enableAPIKey: true, apiKey };
  const { id } = await payload.create({ collection: "users", data });
  const { user } = await payload.auth({ headers: new Headers({ authorization: `users API-Key ${apiKey}` }) });
  if (user?.id !== id) throw new Error(`Payload does not accept the key of ${data.email}`);
  const { rows } = await pool.query("SELECT row_to_json(u) AS row FROM users u WHERE id = $1", [id]);
  const { row } = rows[0];
  console.log(JSON.stringify({ made_by: `payload ${dependencies.payload}`, preset: "payload", key: apiKey, secret, row }));
}
process.exit();
