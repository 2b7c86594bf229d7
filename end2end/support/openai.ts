// Programs that use OpenAI's own clients (end2end/openai), run as somebody would who has nothing but the base URL
// and a key.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { promisify } from "node:util";

const FOLDER = resolve(import.meta.dirname, "../openai");
const PYTHON = resolve(import.meta.dirname, "../../target/openai-python/bin/python");

/** The language of a client. */
export type Language = "Python" | "JavaScript";

/** What the environment tells the client, and keys with limits, by what they are limited in. */
export interface Calling {
  url: string;
  key: string;
  limited: Record<"rpm" | "models" | "budget" | "test", string>;
}

/** Makes all the calls, and returns what the client was told. */
export async function runClient(language: Language, { url, key, limited }: Calling): Promise<unknown> {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(OPENAI|LATCHKEY)_/.test(name));
  const env = { ...Object.fromEntries(inherited), OPENAI_BASE_URL: `${url}/v1`, OPENAI_API_KEY: key };
  const [program, script] = command(language);
  const { stdout } = await promisify(execFile)(program, [script, JSON.stringify(limited)], { cwd: FOLDER, env, timeout: 45_000 });
  return JSON.parse(stdout);
}

function command(language: Language): [string, string] {
  if (language === "JavaScript") return [process.execPath, "client.mjs"];
  if (!existsSync(PYTHON)) throw new Error(`${PYTHON} is not there: scripts/bootstrap.sh e2e makes it.`);
  return [PYTHON, "client.py"];
}
