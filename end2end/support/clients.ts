// Programs that use AI client libraries (end2end/clients, end2end/llama-index), and the gateway that they are run
// against: one with a strict upstream behind it.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { test as base } from "@playwright/test";
import { CountingProxy } from "./counting-proxy.ts";
import { Keyholder } from "./gateway.ts";
import { Latchkey } from "./server.ts";
import { OPERATOR_KEY, StrictUpstream } from "./strict-upstream.ts";

const HERE = resolve(import.meta.dirname, "..");

/** The libraries by what they call, each with its program and the folder of the environment it runs in. */
const CHAT = {
  "OpenAI (Python)": ["clients", "openai_client.py"],
  "OpenAI (Node)": ["clients", "openai_client.mjs"],
  LangChain: ["clients", "langchain_client.py"],
  LlamaIndex: ["llama-index", "llama_index_client.py"],
  "pydantic-ai": ["clients", "pydantic_ai_client.py"],
  "openai-agents": ["clients", "agents_client.py"],
  "AI SDK": ["clients", "ai_sdk_client.mjs"],
} as const;
const RESPONSES = {
  "OpenAI Responses (Python)": ["clients", "openai_responses.py"],
  "OpenAI Responses (Node)": ["clients", "openai_responses.mjs"],
  "LangChain Responses": ["clients", "langchain_responses.py"],
  "pydantic-ai Responses": ["clients", "pydantic_ai_responses.py"],
  "openai-agents Responses": ["clients", "agents_responses.py"],
  "AI SDK Responses": ["clients", "ai_sdk_responses.mjs"],
} as const;
const MESSAGES = {
  "Anthropic (Python)": ["clients", "anthropic_client.py"],
  "Anthropic (Node)": ["clients", "anthropic_client.mjs"],
  "LangChain Messages": ["clients", "langchain_messages.py"],
  "pydantic-ai Messages": ["clients", "pydantic_ai_messages.py"],
  "AI SDK Messages": ["clients", "ai_sdk_messages.mjs"],
} as const;
const PROGRAMS = { ...CHAT, ...RESPONSES, ...MESSAGES };

export type ChatClient = keyof typeof CHAT;
export type ResponsesClient = keyof typeof RESPONSES;
export type MessagesClient = keyof typeof MESSAGES;
export type Client = keyof typeof PROGRAMS;

/** A call that a program is to make. */
export interface Asked {
  name: string;
  does: string;
  model: string;
  key: string;
  /** Sent beside it, where two are sent. */
  other?: string;
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
  const inherited = Object.entries(process.env).filter(([name]) => !/^(OPENAI|ANTHROPIC|LATCHKEY|LANGSMITH)_/.test(name));
  // OpenAI's agents make a client of their own at start, which wants some key.
  const urls = { OPENAI_BASE_URL: `${url}/v1`, ANTHROPIC_BASE_URL: url };
  const env = { ...Object.fromEntries(inherited), ...urls, OPENAI_API_KEY: "none" };
  const options = { cwd: join(HERE, folder), env, timeout: 100_000 };
  const { stdout } = await promisify(execFile)(program, [script, JSON.stringify(calls)], options);
  return JSON.parse(stdout) as Record<string, Told>;
}

export interface PerWorker {
  upstream: StrictUpstream;
  keyholder: Keyholder;
  /** What the clients call. */
  counter: CountingProxy;
}

/** Tests with a gateway before a strict upstream, which serves these models at the price of `costOf`. */
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
        const served = models.map((id) => `{ id = "${id}", price = { input = 1, output = 2 } }`);
        const file = `[[upstream]]\nname = "strict"\nbase_url = "${upstream.url}"\napi_key_env = "STRICT_KEY"\nmodels = [${served.join(", ")}]\n`;
        const env = { STRICT_KEY: OPERATOR_KEY };
        const settings = { github: false, accessTokenTtl: 900, upstreams: { file, timeout: 5 }, env };
        const latchkey = await Latchkey.start(settings, null, join(logs, `${worker.workerIndex}-strict.log`));
        await use(await Keyholder.signIn(latchkey.url));
        const how = await latchkey.stop();
        if (how !== "status 0") throw new Error(`latchkey did not end as it should after SIGTERM: ${how}`);
      },
      { scope: "worker" },
    ],
    counter: [
      async ({ keyholder }, use) => {
        const counter = await CountingProxy.start(keyholder.url);
        await use(counter);
        await counter.stop();
      },
      { scope: "worker" },
    ],
  });
}

/** What these tokens cost: a millionth of a dollar for each of a prompt, and two for each of an answer. */
export function costOf(prompt: number, completion: number): string {
  const millionths = `${prompt + 2 * completion}`.padStart(7, "0");
  return `${Number(millionths.slice(0, -6))}.${millionths.slice(-6)}`.replace(/\.?0+$/, "");
}

export const expect = base.expect;
