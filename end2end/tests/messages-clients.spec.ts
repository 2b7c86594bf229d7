// Client libraries with Anthropic's Messages API, against a gateway before a strict upstream and against its sandbox.
import { expect } from "@playwright/test";
import { testCases, UNKNOWN_MODEL, type Case } from "../support/client-cases.ts";
import type { MessagesClient } from "../support/clients.ts";
import { WORDS } from "../support/strict-answers.ts";

/** The statuses that raise an exception; the first is that of a stream that broke off. */
const STATUSES = [200, 401, 402, 404, 429, 502];

/** What each library raises, in the order of the statuses. */
const CLASSES: Record<MessagesClient, string> = {
  "Anthropic (Python)": "APIStatusError AuthenticationError PaymentRequiredError NotFoundError RateLimitError InternalServerError",
  "Anthropic (Node)": "APIError AuthenticationError PaymentRequiredError NotFoundError RateLimitError InternalServerError",
  "AI SDK Messages": "Error APICallError APICallError APICallError RetryError RetryError",
};

const TOLD = [7, 5] as const;
const NOTHING = [0, 0] as const;
const FAILED = /The upstream that serves this model failed/;
const SANDBOX = "This is the Latchkey sandbox: no model was called. You said: Hi";
const SANDBOX_TOKENS = Math.ceil(SANDBOX.length / 4);
const IN_SANDBOX = { environment: "test" };
/** Estimated tokens of the prompt: the AI SDK sends a list of blocks instead of a text. */
const PROMPT = 6;
const AI_SDK_PROMPT = 7;

const CASES: Record<string, Case<MessagesClient>> = {
  "an answer": { does: "answer", model: "plain", sees: WORDS, asked: 1, requests: 1, charged: TOLD },
  "a stream": { does: "stream", model: "plain", sees: WORDS, asked: 1, requests: 1, charged: TOLD },
  "a stream with usage": { does: "counted stream", model: "plain", sees: 12, asked: 1, requests: 1, charged: TOLD },
  // Of 7 tokens, 3 are told as such, and 4 as those of a cache.
  "a prompt in a cache": {
    does: "counted stream",
    model: "cached",
    sees: 8,
    asked: 1,
    requests: 1,
    charged: TOLD,
    but: { "AI SDK Messages": { sees: 12 } },
  },
  "a tool": { does: "tool", model: "plain", sees: WORDS, asked: 2, requests: 2, charged: [14, 10] },
  "a structured output": { does: "structured", model: "plain", sees: "Paris", asked: 1, requests: 1, charged: TOLD },
  "a count": { does: "count", model: "plain", sees: 7, asked: 1, requests: 1, charged: NOTHING },
  models: {
    does: "models",
    model: "plain",
    limits: { allowed_models: ["plain.models"] },
    sees: ["plain.models"],
    asked: 0,
    requests: 1,
    charged: NOTHING,
  },
  "a conversation": { does: "continued", model: "plain", sees: WORDS, asked: 2, requests: 2, charged: [14, 10] },
  "busy once": { does: "answer", model: "busy-once", sees: WORDS, asked: 2, requests: 2, charged: TOLD },
  "busy for long": { does: "answer", model: "busy", sees: /rate limiting/, raises: 429, asked: 3, requests: 3, charged: NOTHING },
  "an upstream that fails": { does: "answer", model: "failing", sees: FAILED, raises: 502, asked: 3, requests: 3, charged: NOTHING },
  // The prompt's tokens were told at the beginning.
  "a stream cut cleanly": { does: "stream", model: "cut", sees: FAILED, raises: 200, asked: 1, requests: 1, charged: [7, 2] },
  "only the last event missing": { does: "stream", model: "no-last-event", sees: WORDS, asked: 1, requests: 1, charged: TOLD },
  "a limit that frees": {
    does: "limited",
    model: "plain",
    limits: { rpm: 1 },
    sees: /rpm 1 reached.*\(after [1-9]\d? s\)/s,
    asked: 1,
    requests: 2,
    charged: TOLD,
  },
  "a budget spent": {
    does: "answer",
    model: "plain",
    limits: { token_limit: 1, token_limit_period: "month" },
    sees: /The budget of 1 tokens a month/,
    raises: 402,
    asked: 0,
    requests: 1,
    charged: NOTHING,
  },
  "a revoked key": { does: "answer", model: "plain", isRevoked: true, sees: /revoked/, raises: 401, asked: 0, requests: 1, charged: NOTHING },
  "no such model": { does: "answer", model: UNKNOWN_MODEL, sees: /“gpt-0” does not exist/, raises: 404, asked: 0, requests: 1, charged: NOTHING },
  "an answer of the sandbox": {
    does: "answer",
    model: "plain",
    limits: IN_SANDBOX,
    sees: SANDBOX,
    asked: 0,
    requests: 1,
    charged: [PROMPT, SANDBOX_TOKENS],
    but: { "AI SDK Messages": { charged: [AI_SDK_PROMPT, SANDBOX_TOKENS] } },
  },
  "a stream of the sandbox": {
    does: "counted stream",
    model: "plain",
    limits: IN_SANDBOX,
    sees: PROMPT + SANDBOX_TOKENS,
    asked: 0,
    requests: 1,
    charged: [PROMPT, SANDBOX_TOKENS],
    but: { "AI SDK Messages": { sees: AI_SDK_PROMPT + SANDBOX_TOKENS, charged: [AI_SDK_PROMPT, SANDBOX_TOKENS] } },
  },
  "a tool of the sandbox": {
    does: "tool",
    model: "plain",
    limits: IN_SANDBOX,
    sees: /^This is the Latchkey sandbox/,
    asked: 0,
    requests: 2,
    charged: [expect.any(Number), expect.any(Number)],
  },
  "a structured output of the sandbox": {
    does: "structured",
    model: "plain",
    limits: IN_SANDBOX,
    sees: expect.any(String),
    asked: 0,
    requests: 1,
    charged: [expect.any(Number), expect.any(Number)],
  },
  "a count of the sandbox": { does: "count", model: "plain", limits: IN_SANDBOX, sees: PROMPT, asked: 0, requests: 1, charged: NOTHING },
};

// Anthropic's clients continue a conversation in "tool"; the AI SDK neither counts nor lists.
const lacks = (client: MessagesClient, does: string): boolean =>
  client === "AI SDK Messages" ? ["count", "models"].includes(does) : does === "continued";
testCases(CASES, { classes: CLASSES, statuses: STATUSES, lacks });
