// Client libraries with Anthropic's Messages API, against a gateway before a strict upstream and against its sandbox.
import { testCases, type Case } from "../support/client-cases.ts";
import { byPrompt, commonCases, differing, FAILED, NOTHING, STATUSES, TOLD, type Prompts } from "../support/client-rows.ts";
import type { MessagesClient } from "../support/clients.ts";
import { WORDS } from "../support/strict-answers.ts";

/** What each library raises, in the order of the statuses. */
const CLASSES: Record<MessagesClient, string> = {
  "Anthropic (Python)":
    "APIStatusError BadRequestError AuthenticationError PaymentRequiredError PermissionDeniedError NotFoundError RateLimitError InternalServerError",
  "Anthropic (Node)":
    "APIError BadRequestError AuthenticationError PaymentRequiredError PermissionDeniedError NotFoundError RateLimitError InternalServerError",
  "LangChain Messages":
    "APIStatusError AnthropicInvalidRequestError AnthropicAuthenticationError PaymentRequiredError AnthropicPermissionDeniedError AnthropicModelNotFoundError AnthropicRateLimitError AnthropicAPIError",
  "pydantic-ai Messages":
    "ModelServerError ModelRequestRejectedError ModelAuthenticationError ModelQuotaExceededError ModelAuthenticationError ModelNotFoundError ModelRateLimitError ModelServerError",
  "AI SDK Messages": "Error APICallError APICallError APICallError APICallError APICallError RetryError RetryError",
};

const budget = (token_limit: number) => ({ token_limit, token_limit_period: "month" });

const PROMPTS: Prompts<MessagesClient> = { usual: 6, but: { "AI SDK Messages": 7, "pydantic-ai Messages": 7 } };
const estimated = (prompt: number) => ({ charged: [prompt, 7] as const });

const CASES: Record<string, Case<MessagesClient>> = {
  ...differing(commonCases(PROMPTS), {
    // LangChain reads the usage of `message_delta` only, where the tokens of a prompt need not be told again.
    "a stream with usage": { "LangChain Messages": { sees: 5 } },
    // It leaves the choice to the model, and the sandbox calls no tool unasked.
    "a tool of the sandbox": { "pydantic-ai Messages": { requests: 1 } },
  }),
  // Of 7 tokens, 3 are told as such, and 4 as those of a cache.
  "a prompt in a cache": {
    does: "counted stream",
    model: "cached",
    sees: 8,
    asked: 1,
    requests: 1,
    charged: TOLD,
    but: { "LangChain Messages": { sees: 5 }, "AI SDK Messages": { sees: 12 }, "pydantic-ai Messages": { sees: 12 } },
  },
  models: {
    does: "models",
    model: "plain",
    limits: { allowed_models: ["plain.models"] },
    sees: ["plain.models"],
    asked: 0,
    requests: 1,
    charged: NOTHING,
  },
  // They have a limit of their own, beside that of requests.
  "25 counts at once": { does: "counts", model: "plain", limits: { rpm: 1 }, sees: 175, asked: 25, requests: 25, charged: NOTHING },
  // The prompt's tokens were told at the beginning.
  "a stream cut cleanly": { does: "stream", model: "cut", sees: FAILED, raises: 200, asked: 1, requests: 1, charged: [7, 2] },
  "only the last event missing": { does: "stream", model: "no-last-event", sees: WORDS, asked: 1, requests: 1, charged: TOLD },
  "a stream without usage": {
    does: "stream",
    model: "no-usage",
    sees: WORDS,
    asked: 1,
    requests: 1,
    ...estimated(PROMPTS.usual),
    but: byPrompt(PROMPTS, estimated),
  },
  "thinking within a budget": { does: "thinking", model: "plain", limits: budget(2_500), sees: WORDS, asked: 1, requests: 1, charged: TOLD },
  "a budget below thinking": {
    does: "thinking",
    model: "plain",
    limits: budget(1_000),
    sees: /The budget of 1000 tokens a month/,
    raises: 402,
    asked: 0,
    requests: 1,
    charged: NOTHING,
  },
  "v1 twice": { does: "v1 twice", model: "plain", sees: WORDS, asked: 1, requests: 1, charged: TOLD },
  "two keys": { does: "two keys", model: "plain", hasOther: true, sees: /different keys/, raises: 400, asked: 0, requests: 1, charged: NOTHING },
};

/** What is not there, or not by a name of its own: Anthropic's clients continue a conversation in "tool". */
const LACKS: Record<MessagesClient, string[]> = {
  "Anthropic (Python)": ["continued"],
  "Anthropic (Node)": ["continued"],
  "LangChain Messages": ["models"],
  "pydantic-ai Messages": ["models"],
  "AI SDK Messages": ["count", "counts", "models", "thinking", "v1 twice", "two keys"],
};
testCases(CASES, { classes: CLASSES, statuses: STATUSES, lacks: (client, does) => LACKS[client].includes(does) });
