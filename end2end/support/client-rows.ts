// The cases that the clients of the Responses and of the Messages API share. What is charged where nothing is told, or
// by the sandbox, is estimated from the request, whose form differs between APIs and libraries.
import { expect } from "@playwright/test";
import { UNKNOWN_MODEL, type Case } from "./client-cases.ts";
import type { Client } from "./clients.ts";
import { WORDS } from "./strict-answers.ts";

/** The statuses that raise an exception; the first is that of a stream that broke off. */
export const STATUSES = [200, 400, 401, 402, 403, 404, 429, 502];

/** What the strict upstream tells of a call. */
export const TOLD = [7, 5] as const;
export const NOTHING = [0, 0] as const;
export const FAILED = /The upstream that serves this model failed/;
const SANDBOX = "This is the Latchkey sandbox: no model was called. You said: Hi";
export const SANDBOX_TOKENS = Math.ceil(SANDBOX.length / 4);
const IN_SANDBOX = { environment: "test" };

/** Estimated tokens of the prompt, and where a library sends it in another form. */
export interface Prompts<C extends Client> {
  usual: number;
  but: Partial<Record<C, number>>;
}

/** What differs between libraries by the estimated tokens of their prompts. */
export function byPrompt<C extends Client>(prompts: Prompts<C>, outcome: (prompt: number) => Partial<Case<C>>): NonNullable<Case<C>["but"]> {
  const those = Object.entries(prompts.but) as [C, number][];
  return Object.fromEntries(those.map(([client, prompt]) => [client, outcome(prompt)])) as NonNullable<Case<C>["but"]>;
}

/** The cases of `all`, where libraries differ in these of them. */
export function differing<C extends Client>(all: Record<string, Case<C>>, but: Record<string, NonNullable<Case<C>["but"]>>): Record<string, Case<C>> {
  const cases = Object.entries(all).map(([name, one]) => [name, name in but ? { ...one, but: { ...one.but, ...but[name] } } : one] as const);
  return Object.fromEntries(cases);
}

export function commonCases<C extends Client>(prompts: Prompts<C>): Record<string, Case<C>> {
  return { ...answers(), ...failures(), ...refusals(), ...ofSandbox(prompts) };
}

function answers<C extends Client>(): Record<string, Case<C>> {
  const once = { model: "plain", asked: 1, requests: 1, charged: TOLD };
  const twice = { model: "plain", asked: 2, requests: 2, charged: [14, 10] as const };
  return {
    "an answer": { ...once, does: "answer", sees: WORDS },
    "a stream": { ...once, does: "stream", sees: WORDS },
    "a stream with usage": { ...once, does: "counted stream", sees: 12 },
    "a tool": { ...twice, does: "tool", sees: WORDS },
    "a structured output": { ...once, does: "structured", sees: "Paris" },
    "a count": { ...once, does: "count", sees: 7, charged: NOTHING },
    "a conversation": { ...twice, does: "continued", sees: WORDS },
  };
}

/** The upstream is in trouble. */
function failures<C extends Client>(): Record<string, Case<C>> {
  const again = { does: "answer", sees: WORDS, asked: 2, requests: 2, charged: TOLD };
  const thrice = { does: "answer", asked: 3, requests: 3, charged: NOTHING };
  return {
    "busy once": { ...again, model: "busy-once" },
    "overloaded once": { ...again, model: "overloaded-once" },
    "busy for long": { ...thrice, model: "busy", sees: /rate limiting/, raises: 429 },
    "an upstream that fails": { ...thrice, model: "failing", sees: FAILED, raises: 502 },
  };
}

/** The gateway refuses; but for a limit that frees, no client asks twice. */
function refusals<C extends Client>(): Record<string, Case<C>> {
  const once = { does: "answer", model: "plain", asked: 0, requests: 1, charged: NOTHING };
  const limits = { token_limit: 1, token_limit_period: "month" };
  return {
    "a limit that frees": {
      does: "limited",
      model: "plain",
      limits: { rpm: 1 },
      sees: /rpm 1 reached.*\(after [1-9]\d? s\)/s,
      asked: 1,
      requests: 2,
      charged: TOLD,
    },
    "a budget spent": { ...once, limits, sees: /The budget of 1 tokens a month/, raises: 402 },
    "a stream for a budget spent": { ...once, does: "stream", limits, sees: /The budget of 1 tokens a month/, raises: 402 },
    "a revoked key": { ...once, isRevoked: true, sees: /revoked/, raises: 401 },
    "a model not allowed": { ...once, limits: { allowed_models: ["other"] }, sees: /may not use this model/, raises: 403 },
    "no such model": { ...once, model: UNKNOWN_MODEL, sees: /“gpt-0” does not exist/, raises: 404 },
  };
}

function ofSandbox<C extends Client>(prompts: Prompts<C>): Record<string, Case<C>> {
  const once = { model: "plain", limits: IN_SANDBOX, asked: 0, requests: 1 };
  const some = [expect.any(Number), expect.any(Number)] as const;
  const answer = (prompt: number) => ({ charged: [prompt, SANDBOX_TOKENS] as const });
  const stream = (prompt: number) => ({ sees: prompt + SANDBOX_TOKENS, ...answer(prompt) });
  const count = (prompt: number) => ({ sees: prompt });
  return {
    "an answer of the sandbox": { ...once, does: "answer", sees: SANDBOX, ...answer(prompts.usual), but: byPrompt(prompts, answer) },
    "a stream of the sandbox": { ...once, does: "counted stream", ...stream(prompts.usual), but: byPrompt(prompts, stream) },
    "a tool of the sandbox": { ...once, does: "tool", sees: /^This is the Latchkey sandbox/, requests: 2, charged: some },
    "a structured output of the sandbox": { ...once, does: "structured", sees: expect.any(String), charged: some },
    "a count of the sandbox": { ...once, does: "count", ...count(prompts.usual), charged: NOTHING, but: byPrompt(prompts, count) },
  };
}
