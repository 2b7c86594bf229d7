// Codex and Claude Code, asked once without a terminal, before a strict upstream and before the sandbox: what they
// print, how often they ask, and what the key is charged.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, testWith } from "../support/clients.ts";
import { WORDS } from "../support/strict-answers.ts";

const PROMPT = "Say hello";
const AGENTS = ["Codex", "Claude Code"] as const;
type Agent = (typeof AGENTS)[number];

/** What an agent printed, and how it ended. */
interface Ended {
  status: number | null;
  printed: string;
}

/** The path of the requests that answer. */
const PATHS: Record<Agent, string> = { Codex: "/responses", "Claude Code": "/messages" };

function program(name: string): string {
  const path = resolve(import.meta.dirname, "node_modules/.bin", name);
  if (!existsSync(path)) throw new Error(`${path} is not there: make test-agents installs it.`);
  return path;
}

/** The program, its arguments and more of the environment. Each has a home of its own, without settings of anybody. */
async function commandOf(agent: Agent, home: string, url: string, model: string, key: string): Promise<[string, string[], object]> {
  if (agent === "Claude Code") {
    const quiet = { CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1", CLAUDE_CODE_DISABLE_EXPERIMENTAL_BETAS: "1" };
    const env = { ...quiet, ANTHROPIC_BASE_URL: url, ANTHROPIC_AUTH_TOKEN: key, ANTHROPIC_DEFAULT_HAIKU_MODEL: model };
    return [program("claude"), ["-p", "--model", model, PROMPT], env];
  }
  const provider = ["[model_providers.latchkey]", 'name = "Latchkey"', `base_url = "${url}/v1"`, 'env_key = "LATCHKEY_KEY"'];
  const settings = [`model = "${model}"`, 'model_provider = "latchkey"', ...provider, 'wire_api = "responses"', ""];
  const folder = join(home, ".codex");
  await mkdir(folder);
  await writeFile(join(folder, "config.toml"), settings.join("\n"));
  const args = ["exec", "--skip-git-repo-check", "--sandbox", "read-only", PROMPT];
  return [program("codex"), args, { CODEX_HOME: folder, LATCHKEY_KEY: key }];
}

async function run(agent: Agent, url: string, model: string, key: string): Promise<Ended> {
  const home = await mkdtemp(join(tmpdir(), "latchkey-agent-"));
  try {
    const [path, args, more] = await commandOf(agent, home, url, model, key);
    const inherited = Object.entries(process.env).filter(([name]) => !/^(OPENAI|ANTHROPIC|CLAUDE|CODEX|LATCHKEY)/.test(name));
    const env = { ...Object.fromEntries(inherited), HOME: home, ...more };
    // An open input would be read to its end first.
    const child = spawn(path, args, { cwd: home, env, stdio: ["ignore", "pipe", "pipe"], timeout: 120_000 });
    let printed = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (part: Buffer) => (printed += part.toString()));
    const status = await new Promise<number | null>((ended, failed) => child.on("close", ended).on("error", failed));
    return { status, printed };
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

/** What comes of a case; where the agents differ, for each of them. */
interface Case {
  model: string;
  limits?: object;
  isRevoked?: boolean;
  prints: string | RegExp;
  succeeds: boolean;
  requests: Record<Agent, number>;
  /** Tokens of prompts and of completions. */
  charged?: [number, number];
}

const CASES: Record<string, Case> = {
  // The upstream calls the first tool, and answers in words when it is told what came of it.
  "a tool and an answer": {
    model: "plain",
    prints: WORDS,
    succeeds: true,
    requests: { Codex: 2, "Claude Code": 2 },
    charged: [14, 10],
  },
  "an answer of the sandbox": {
    model: "plain",
    limits: { environment: "test" },
    prints: "This is the Latchkey sandbox",
    succeeds: true,
    requests: { Codex: 1, "Claude Code": 1 },
  },
  "a revoked key": {
    model: "plain",
    isRevoked: true,
    prints: /revoked/,
    succeeds: false,
    requests: { Codex: 6, "Claude Code": 1 },
    charged: [0, 0],
  },
  "a budget spent": {
    model: "plain",
    limits: { token_limit: 1, token_limit_period: "month" },
    prints: /The budget of 1 tokens a month/,
    succeeds: false,
    requests: { Codex: 6, "Claude Code": 1 },
    charged: [0, 0],
  },
};

const modelOf = (agent: Agent, name: string, { model }: Case): string => `${model}.${agent} ${name}`.replaceAll(" ", "-");
const cases = AGENTS.flatMap((agent) => Object.entries(CASES).map(([name, one]) => ({ agent, name, one })));
const test = testWith(cases.map(({ agent, name, one }) => modelOf(agent, name, one)));

for (const { agent, name, one } of cases) {
  test(`${agent}: ${name}`, async ({ keyholder, counter, upstream }) => {
    const key = await keyholder.create(`${agent}: ${name}`, one.limits);
    if (one.isRevoked) await keyholder.revoke(key);
    const { status, printed } = await run(agent, counter.url, modelOf(agent, name, one), key.secret);
    expect(printed).toMatch(one.prints);
    expect(status === 0, printed).toBe(one.succeeds);
    expect(counter.requests(key.secret, PATHS[agent]), "requests").toBe(one.requests[agent]);
    const used = await keyholder.used(key);
    if (one.charged) expect([used.prompt_tokens, used.completion_tokens]).toEqual(one.charged);
    expect(upstream.faults, "nothing that a gateway may not send").toEqual([]);
  });
}
