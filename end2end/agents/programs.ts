// The coding agents: how each is started without a terminal, with a home of its own, and what it printed.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

export const AGENTS = ["Codex", "Codex (openai_base_url)", "Claude Code", "opencode (Responses)", "opencode (Messages)"] as const;
export type Agent = (typeof AGENTS)[number];

/** The path of the requests that answer. */
export const PATHS: Record<Agent, string> = {
  Codex: "/responses",
  "Codex (openai_base_url)": "/responses",
  "Claude Code": "/messages",
  "opencode (Responses)": "/responses",
  "opencode (Messages)": "/messages",
};

/** What an agent is asked, and with what. */
export interface Call {
  url: string;
  model: string;
  key: string;
  /** Set as well, where an agent reads two. */
  other?: string | undefined;
  prompt: string;
}

/** What an agent printed, and how it ended. */
export interface Ended {
  status: number | null;
  printed: string;
}

interface Command {
  name: string;
  args: string[];
  env: Record<string, string>;
}

function codex(home: string, { url, model, key, prompt }: Call): [Command, string] {
  const provider = ["[model_providers.latchkey]", 'name = "Latchkey"', `base_url = "${url}/v1"`, 'env_key = "LATCHKEY_KEY"'];
  const settings = [`model = "${model}"`, 'model_provider = "latchkey"', ...provider, 'wire_api = "responses"', ""];
  const args = ["exec", "--skip-git-repo-check", "--sandbox", "read-only", prompt];
  return [{ name: "codex", args, env: { CODEX_HOME: join(home, ".codex"), LATCHKEY_KEY: key } }, settings.join("\n")];
}

/** With the provider that is built in, which asks for a WebSocket first. */
function codexOfOpenai(home: string, call: Call): [Command, string] {
  const [{ name, args }] = codex(home, call);
  const settings = [`model = "${call.model}"`, `openai_base_url = "${call.url}/v1"`, ""];
  return [{ name, args, env: { CODEX_HOME: join(home, ".codex"), CODEX_API_KEY: call.key } }, settings.join("\n")];
}

function claude({ url, model, key, other, prompt }: Call): Command {
  const quiet = { CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1", CLAUDE_CODE_DISABLE_EXPERIMENTAL_BETAS: "1" };
  const env = { ...quiet, ANTHROPIC_BASE_URL: url, ANTHROPIC_AUTH_TOKEN: key, ANTHROPIC_DEFAULT_HAIKU_MODEL: model };
  return { name: "claude", args: ["-p", "--model", model, prompt], env: other ? { ...env, ANTHROPIC_API_KEY: other } : env };
}

function opencode(provider: string, home: string, { url, model, key, prompt }: Call): [Command, string] {
  const options = { baseURL: `${url}/v1`, apiKey: "{env:LATCHKEY_KEY}" };
  const name = `${provider}/${model}`;
  const settings = { provider: { [provider]: { options, models: { [model]: {} } } }, model: name, small_model: name, share: "disabled" };
  const off = ["AUTOUPDATE", "MODELS_FETCH", "DEFAULT_PLUGINS", "LSP_DOWNLOAD"].map((what) => [`OPENCODE_DISABLE_${what}`, "1"]);
  const env = { ...Object.fromEntries(off), OPENCODE_CONFIG: join(home, "opencode.json"), LATCHKEY_KEY: key };
  return [{ name: "opencode", args: ["run", prompt], env }, JSON.stringify(settings)];
}

/** Writes its settings; the program, its arguments and more of the environment. */
async function commandOf(agent: Agent, home: string, call: Call): Promise<Command> {
  if (agent === "Claude Code") return claude(call);
  if (agent.startsWith("Codex")) {
    const [command, settings] = agent === "Codex" ? codex(home, call) : codexOfOpenai(home, call);
    await mkdir(join(home, ".codex"));
    await writeFile(join(home, ".codex", "config.toml"), settings);
    return command;
  }
  const [command, settings] = opencode(agent === "opencode (Messages)" ? "anthropic" : "openai", home, call);
  await writeFile(join(home, "opencode.json"), settings);
  return command;
}

export async function run(agent: Agent, call: Call): Promise<Ended> {
  const home = await mkdtemp(join(tmpdir(), "latchkey-agent-"));
  try {
    const { name, args, env: more } = await commandOf(agent, home, call);
    const path = resolve(import.meta.dirname, "node_modules/.bin", name);
    if (!existsSync(path)) throw new Error(`${path} is not there: make test-agents installs it.`);
    const inherited = Object.entries(process.env).filter(([name]) => !/^(OPENAI|OPENCODE|ANTHROPIC|CLAUDE|CODEX|LATCHKEY|XDG)/.test(name));
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
