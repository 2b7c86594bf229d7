// Programs that OpenTelemetry's own SDKs instrument (end2end/otel), run as somebody would who has nothing but
// the endpoint and a key.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { promisify } from "node:util";

const FOLDER = resolve(import.meta.dirname, "../otel");
const PYTHON = resolve(import.meta.dirname, "../../target/otel-python/bin/python");

/** One of the SDKs, and the encoding that its exporters use. */
export type Sdk = "Python, protobuf" | "JavaScript, protobuf" | "JavaScript, JSON";

/** What the environment tells the exporters. */
export interface Exporting {
  endpoint: string;
  headers: string;
  compression?: "gzip";
}

/** Runs the shop, and tells the id of its trace. Fails when its exporters could not deliver. */
export async function runShop(sdk: Sdk, { endpoint, headers, compression }: Exporting): Promise<string> {
  const inherited = Object.entries(process.env).filter(([key]) => !/^(OTEL|LATCHKEY)_/.test(key));
  const env = {
    ...Object.fromEntries(inherited),
    OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
    OTEL_EXPORTER_OTLP_HEADERS: headers,
    ...(compression ? { OTEL_EXPORTER_OTLP_COMPRESSION: compression } : {}),
  };
  const { stdout } = await promisify(execFile)(...command(sdk), { cwd: FOLDER, env, timeout: 30_000 });
  return stdout.trim();
}

function command(sdk: Sdk): [string, string[]] {
  switch (sdk) {
    case "Python, protobuf":
      if (!existsSync(PYTHON)) throw new Error(`${PYTHON} is not there: scripts/bootstrap.sh e2e makes it.`);
      return [PYTHON, ["shop.py"]];
    case "JavaScript, protobuf":
      return [process.execPath, ["shop.mjs", "protobuf"]];
    case "JavaScript, JSON":
      return [process.execPath, ["shop.mjs", "json"]];
  }
}
