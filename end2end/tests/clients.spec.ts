// AI client libraries against a gateway before a strict upstream: what their users see, how often the upstream was
// asked, and what the key was charged. docs/compatibility.md has the same as a table.
import { testCases, UNKNOWN_MODEL, type Case } from "../support/client-cases.ts";
import type { ChatClient } from "../support/clients.ts";
import { WORDS } from "../support/strict-answers.ts";
import { VECTOR } from "../support/strict-upstream.ts";

/** The statuses that raise an exception; the first is that of a stream that broke off. */
const STATUSES = [200, 401, 402, 403, 404, 405, 422, 502];

/** What each library raises, in the order of the statuses. */
const CLASSES: Record<ChatClient, string> = {
  "OpenAI (Python)":
    "APIError AuthenticationError APIStatusError PermissionDeniedError NotFoundError APIStatusError UnprocessableEntityError InternalServerError",
  "OpenAI (Node)":
    "APIError AuthenticationError APIError PermissionDeniedError NotFoundError APIError UnprocessableEntityError InternalServerError",
  LangChain:
    "APIError OpenAIAuthenticationError APIStatusError OpenAIPermissionDeniedError OpenAIModelNotFoundError APIStatusError UnprocessableEntityError OpenAIAPIError",
  LlamaIndex:
    "APIError AuthenticationError APIStatusError PermissionDeniedError NotFoundError APIStatusError UnprocessableEntityError InternalServerError",
  "pydantic-ai":
    "ModelServerError ModelAuthenticationError ModelQuotaExceededError ModelAuthenticationError ModelNotFoundError ModelHTTPError ModelRequestRejectedError ModelServerError",
  "openai-agents":
    "APIError AuthenticationError APIStatusError PermissionDeniedError NotFoundError APIStatusError UnprocessableEntityError InternalServerError",
  "AI SDK": "Error APICallError APICallError APICallError APICallError APICallError APICallError RetryError",
};

const TOLD: [number, number] = [7, 5];
const NOTHING: [number, number] = [0, 0];
const FAILED = /The upstream that serves this model failed/;

const CASES: Record<string, Case<ChatClient>> = {
  "an answer": { does: "chat", model: "plain", sees: WORDS, asked: 1, charged: TOLD },
  "a stream": { does: "stream", model: "plain", sees: WORDS, asked: 1, charged: TOLD },
  "a stream with usage": { does: "counted stream", model: "plain", sees: 12, asked: 1, charged: TOLD },
  "usage after an empty choice": { does: "counted stream", model: "empty-choice", sees: 12, asked: 1, charged: TOLD },
  "usage without choices": {
    does: "stream",
    model: "null-choices",
    sees: WORDS,
    asked: 1,
    charged: TOLD,
    // It asks for usage itself, and so is shown the upstream's chunk as it came.
    but: { "AI SDK": { sees: /Type validation failed.*"choices":null/s } },
  },
  "carriage returns": { does: "stream", model: "carriage-returns", sees: WORDS, asked: 1, charged: TOLD },
  "line ends of two characters": { does: "stream", model: "line-ends", sees: WORDS, asked: 1, charged: TOLD },
  "one JSON for a stream": {
    does: "stream",
    model: "json-for-stream",
    sees: "",
    asked: 1,
    charged: TOLD,
    but: {
      LangChain: { sees: /No generation chunks were returned/ },
      "pydantic-ai": { sees: /ended without content/ },
      "AI SDK": { sees: /ended without a finish reason/ },
    },
  },
  "only the last event missing": { does: "stream", model: "no-last-event", sees: WORDS, asked: 1, charged: TOLD },
  "an answer without usage": { does: "chat", model: "no-usage", sees: WORDS, asked: 1, charged: [6, 7] },
  "a stream without usage": { does: "stream", model: "no-usage", sees: WORDS, asked: 1, charged: [6, 7] },
  "gzip unasked": { does: "chat", model: "gzip", sees: WORDS, asked: 1, charged: TOLD },
  "a tool": { does: "tool", model: "plain", sees: WORDS, asked: 2, charged: [14, 10] },
  "a structured output": { does: "structured", model: "plain", sees: "Paris", asked: 1, charged: TOLD },
  "a vector": { does: "embed", model: "plain", sees: VECTOR, asked: 1, charged: [3, 0] },
  "numbers for base64": { does: "embed", model: "floats", sees: VECTOR, asked: 1, charged: [3, 0] },
  "busy once": { does: "chat", model: "busy-once", sees: WORDS, asked: 2, charged: TOLD },
  "overloaded once": { does: "chat", model: "overloaded-once", sees: WORDS, asked: 2, charged: TOLD },
  // Charged is what came before the end, by its bytes.
  "a stream cut cleanly": { does: "stream", model: "cut", sees: FAILED, raises: 200, asked: 1, charged: [6, 2] },
  "an upstream that fails": {
    does: "chat",
    model: "failing",
    sees: FAILED,
    raises: 502,
    asked: 3,
    charged: NOTHING,
    // `max_retries`, 3 by default, is three tries of its own, and three retries of OpenAI's client in each.
    but: { LlamaIndex: { asked: 12 } },
  },
  "a refusal as detail": { does: "chat", model: "detail", sees: /role is not known/, raises: 422, asked: 1, charged: NOTHING },
  "a refusal as text": { does: "chat", model: "error-text", sees: /adapter not loaded/, raises: 404, asked: 1, charged: NOTHING },
  "a refusal as HTML": { does: "chat", model: "html", sees: /The upstream rejected this request/, raises: 405, asked: 1, charged: NOTHING },
  "the operator's key refused": {
    does: "chat",
    model: "locked-out",
    sees: /rejected this server’s credentials/,
    raises: 502,
    asked: 1,
    charged: NOTHING,
    // These do not read `x-should-retry`.
    but: { LlamaIndex: { asked: 3 }, "AI SDK": { asked: 3 } },
  },
  "a model not allowed": {
    does: "chat",
    model: "plain",
    limits: { allowed_models: ["other"] },
    sees: /may not use this model/,
    raises: 403,
    asked: 0,
    charged: NOTHING,
  },
  "no such model": { does: "chat", model: UNKNOWN_MODEL, sees: /“gpt-0” does not exist/, raises: 404, asked: 0, charged: NOTHING },
  "a budget spent": {
    does: "chat",
    model: "plain",
    limits: { token_limit: 1, token_limit_period: "month" },
    sees: /The budget of 1 tokens a month/,
    raises: 402,
    asked: 0,
    charged: NOTHING,
  },
  "a key of nobody": { does: "chat", model: "plain", key: "lk_live_nonsense", sees: /key/, raises: 401, asked: 0, charged: NOTHING },
};

// OpenAI's agents embed nothing.
const lacks = (client: ChatClient, does: string): boolean => client === "openai-agents" && does === "embed";
testCases(CASES, { classes: CLASSES, statuses: STATUSES, lacks });
