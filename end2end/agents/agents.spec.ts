// Coding agents, asked once without a terminal, before a strict upstream and before the sandbox: what they print, how
// often they ask, and what the key is charged.
import { costOf, expect, testWith } from "../support/clients.ts";
import { WORDS } from "../support/strict-answers.ts";
import { AGENTS, PATHS, run, type Agent } from "./programs.ts";

/** What comes of a case, and how often each agent asks that is tried with it. */
interface Case {
  model: string;
  /** The whole name of the model, where it matters to the agent. */
  id?: string;
  limits?: object;
  isRevoked?: boolean;
  /** Whether another key is set too. */
  hasOther?: boolean;
  /** Whether the base URL has a `/v1` that does not belong there. */
  isDoubled?: boolean;
  prints: string | RegExp;
  succeeds: boolean;
  requests: Partial<Record<Agent, number>>;
  /** Tokens of the prompt and of the completion of each call that is told. */
  charged?: number;
}

/** Of opencode's calls, one is for a title. */
const opencode = (requests: number): Case["requests"] => ({ "opencode (Responses)": requests, "opencode (Messages)": requests });
const FAILED = /The upstream that serves this model failed/;

const CASES: Record<string, Case> = {
  // The upstream calls the first tool, and answers in words when it is told what came of it.
  "a tool and an answer": {
    model: "plain",
    prints: WORDS,
    succeeds: true,
    requests: { Codex: 2, "Claude Code": 2, ...opencode(3) },
    charged: 1,
  },
  // Its first request asks for a WebSocket.
  "a WebSocket asked for": { model: "plain", prints: WORDS, succeeds: true, requests: { "Codex (openai_base_url)": 3 } },
  "v1 twice": { model: "plain", isDoubled: true, prints: WORDS, succeeds: true, requests: { "Claude Code": 2 }, charged: 1 },
  "an answer of the sandbox": {
    model: "plain",
    limits: { environment: "test" },
    prints: "This is the Latchkey sandbox",
    succeeds: true,
    requests: { Codex: 1, "Claude Code": 1, ...opencode(2) },
  },
  "a stream without usage": { model: "no-usage", prints: WORDS, succeeds: true, requests: { Codex: 2, "Claude Code": 2, ...opencode(3) } },
  "busy once": { model: "busy-once", prints: WORDS, succeeds: true, requests: { Codex: 3, "Claude Code": 3, ...opencode(4) } },
  "overloaded once": { model: "overloaded-once", prints: WORDS, succeeds: true, requests: { Codex: 3, "Claude Code": 3, ...opencode(4) } },
  "busy for long": { model: "busy", prints: /429 Too Many Requests/, succeeds: false, requests: { Codex: 6 }, charged: 0 },
  "a stream cut cleanly": { model: "cut", prints: FAILED, succeeds: false, requests: { Codex: 6, "opencode (Responses)": 7, "opencode (Messages)": 2 } },
  // Each is asked for again as a whole: the tool and the answer. Both are charged, as far as they had come.
  "a stream cut, then a whole answer": { model: "cut", prints: WORDS, succeeds: true, requests: { "Claude Code": 4 } },
  "only the last event missing": { model: "no-last-event", prints: WORDS, succeeds: true, requests: { "Claude Code": 2, "opencode (Messages)": 3 }, charged: 1 },
  "a revoked key": {
    model: "plain",
    isRevoked: true,
    prints: /revoked/,
    succeeds: false,
    requests: { Codex: 6, "Claude Code": 1, ...opencode(2) },
    charged: 0,
  },
  "a model not allowed": {
    model: "plain",
    limits: { allowed_models: ["other"] },
    prints: /may not use this model/,
    succeeds: false,
    requests: { Codex: 6, "Claude Code": 1, ...opencode(2) },
    charged: 0,
  },
  "a budget spent": {
    model: "plain",
    limits: { token_limit: 1, token_limit_period: "month" },
    prints: /The budget of 1 tokens a month/,
    succeeds: false,
    requests: { Codex: 6, "Claude Code": 1, ...opencode(2) },
    charged: 0,
  },
  "two keys": { model: "plain", hasOther: true, prints: /two different keys/, succeeds: false, requests: { "Claude Code": 1 }, charged: 0 },
  // Of this model it wants 31,999 tokens of thinking; the upstream refuses thinking that does not fit its answer.
  "a budget below thinking": {
    model: "plain",
    id: "claude-sonnet-4-5",
    limits: { token_limit: 40_000, token_limit_period: "month" },
    prints: WORDS,
    succeeds: true,
    requests: { "Claude Code": 2 },
    charged: 1,
  },
};

const modelOf = (agent: Agent, name: string, { model, id }: Case): string => id ?? `${model}.${agent} ${name}`.replaceAll(/[ (),]+/g, "-");
const cases = AGENTS.flatMap((agent) => Object.entries(CASES).map(([name, one]) => ({ agent, name, one }))).filter(
  ({ agent, one }) => agent in one.requests,
);
const COUNTING = "plain.counting";
const test = testWith([...new Set(cases.map(({ agent, name, one }) => modelOf(agent, name, one))), COUNTING]);

for (const { agent, name, one } of cases) {
  test(`${agent}: ${name}`, async ({ keyholder, counter, upstream }) => {
    const key = await keyholder.create(`${agent}: ${name}`, one.limits);
    if (one.isRevoked) await keyholder.revoke(key);
    const other = one.hasOther ? await keyholder.key(`${agent}: another`) : undefined;
    const url = one.isDoubled ? `${counter.url}/v1` : counter.url;
    const call = { url, model: modelOf(agent, name, one), key: key.secret, other, prompt: "Say hello" };
    const { status, printed } = await run(agent, call);
    expect(printed).toMatch(one.prints);
    expect(status === 0, printed).toBe(one.succeeds);
    const requests = one.requests[agent]!;
    expect(counter.requests(key.secret, PATHS[agent]), "requests").toBe(requests);
    const used = await keyholder.used(key);
    const calls = one.charged === undefined ? undefined : one.charged * requests;
    if (calls !== undefined) expect([used.prompt_tokens, used.completion_tokens]).toEqual([7 * calls, 5 * calls]);
    expect(used.cost_usd, "cost").toBe(costOf(used.prompt_tokens, used.completion_tokens));
    expect(upstream.faults, "nothing that a gateway may not send").toEqual([]);
  });
}

test("Claude Code: /context counts without an answer", async ({ keyholder, counter, upstream }) => {
  const key = await keyholder.create("Claude Code: /context", { rpm: 1 });
  const { status, printed } = await run("Claude Code", { url: counter.url, model: COUNTING, key: key.secret, prompt: "/context" });
  expect(status, printed).toBe(0);
  // As many as it has tools and skills: 14 in an empty home, 25 in others.
  const counts = counter.requests(key.secret, "/messages/count_tokens");
  expect(counts).toBeGreaterThan(9);
  expect(upstream.calls.get(COUNTING), "none is refused for the limit of requests").toBe(counts);
  expect(counter.requests(key.secret, "/messages")).toBe(0);
  const { prompt_tokens, completion_tokens, cost_usd } = await keyholder.used(key);
  expect({ prompt_tokens, completion_tokens, cost_usd }).toEqual({ prompt_tokens: 0, completion_tokens: 0, cost_usd: "0" });
});
