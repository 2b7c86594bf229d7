// Programs that use AI client libraries (end2end/clients, end2end/llama-index), and the gateway that they are run
// against: one with a strict upstream behind it.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { test as base } from "@playwright/test";
import { Keyholder } from "./gateway.ts";
import { Latchkey } from "./server.ts";
import { OPERATOR_KEY, StrictUpstream } from "./strict-upstream.ts";

const HERE = resolve(import.meta.dirname, "..");

/** The libraries, each with its program and the environment it runs in. */
const PROGRAMS = {
  "OpenAI (Python)": ["clients", "openai_client.py"],
  "OpenAI (Node)": ["clients", "openai_client.mjs"],
  LangChain: ["clients", "langchain_client.py"],
  LlamaIndex: ["llama-index", "llama_index_client.py"],
  "pydantic-ai": ["clients", "pydantic_ai_client.py"],
  "openai-agents": ["clients", "agents_client.py"],
  "AI SDK": ["clients", "ai_sdk_client.mjs"],
} as const;

export type Client = keyof typeof PROGRAMS;
export const CLIENTS = Object.keys(PROGRAMS) as Client[];

/** A call that a program is to make. */
export interface Asked {
  name: string;
  does: string;
  model: string;
  key: string;
}

/** What its user sees: an answer, or an exception. */
export interface Told {
  saw?: unknown;
  class?: string;
  message?: string;
}

/** Makes the calls one after the other, and returns what the library's user sees of each. */
export async function runClient(client: Client, url: string, calls: Asked[]): Promise<Record<string, Told>> {
  const [folder, script] = PROGRAMS[client];
  const python = resolve(HERE, `../target/${folder}-python/bin/python`);
  const program = script.endsWith(".mjs") ? process.execPath : python;
  if (!existsSync(program)) throw new Error(`${program} is not there: scripts/bootstrap.sh e2e makes it.`);
  const inherited = Object.entries(process.env).filter(([name]) => !/^(OPENAI|LATCHKEY|LANGSMITH)_/.test(name));
  // OpenAI's agents make a client of their own at start, which wants some key.
  const env = { ...Object.fromEntries(inherited), OPENAI_BASE_URL: `${url}/v1`, OPENAI_API_KEY: "none" };
  const options = { cwd: join(HERE, folder), env, timeout: 100_000 };
  const { stdout } = await promisify(execFile)(program, [script, JSON.stringify(calls)], options);
  return JSON.parse(stdout) as Record<string, Told>;
}

interface PerWorker {
  upstream: StrictUpstream;
  keyholder: Keyholder;
}

/** Tests with a gateway before a strict upstream, which serves these models. */
export function testWith(models: string[]) {
  return base.extend<object, PerWorker>({
    upstream: [
      async ({}, use) => {
        const upstream = await StrictUpstream.start();
        await use(upstream);
        await upstream.stop();
      },
      { scope: "worker" },
    ],
    keyholder: [
      async ({ upstream }, use, worker) => {
        const logs = join(worker.project.outputDir, "logs");
        await mkdir(logs, { recursive: true });
        const file = `[[upstream]]\nname = "strict"\nbase_url = "${upstream.url}"\napi_key_env = "STRICT_KEY"\nmodels = ${JSON.stringify(models)}\n`;
        const env = { STRICT_KEY: OPERATOR_KEY };
        const settings = { github: false, accessTokenTtl: 900, upstreams: { file, timeout: 5 }, env };
        const latchkey = await Latchkey.start(settings, null, join(logs, `${worker.workerIndex}-strict.log`));
        await use(await Keyholder.signIn(latchkey.url));
        const how = await latchkey.stop();
        if (how !== "status 0") throw new Error(`latchkey did not end as it should after SIGTERM: ${how}`);
      },
      { scope: "worker" },
    ],
  });
}

export const expect = base.expect;
