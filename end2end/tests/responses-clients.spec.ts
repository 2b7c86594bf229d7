// Client libraries with the Responses API, against a gateway before a strict upstream and against its sandbox.
import { testCases, type Case } from "../support/client-cases.ts";
import { byPrompt, commonCases, differing, FAILED, NOTHING, STATUSES, type Prompts } from "../support/client-rows.ts";
import type { ResponsesClient } from "../support/clients.ts";
import { WORDS } from "../support/strict-answers.ts";

/** What each library raises, in the order of the statuses. */
const CLASSES: Record<ResponsesClient, string> = {
  "OpenAI Responses (Python)":
    "APIError BadRequestError AuthenticationError APIStatusError PermissionDeniedError NotFoundError RateLimitError InternalServerError",
  "OpenAI Responses (Node)":
    "APIError BadRequestError AuthenticationError APIError PermissionDeniedError NotFoundError RateLimitError InternalServerError",
  "LangChain Responses":
    "APIError BadRequestError OpenAIAuthenticationError APIStatusError OpenAIPermissionDeniedError OpenAIModelNotFoundError OpenAIRateLimitError OpenAIAPIError",
  "pydantic-ai Responses":
    "ModelServerError ModelRequestRejectedError ModelAuthenticationError ModelQuotaExceededError ModelAuthenticationError ModelNotFoundError ModelRateLimitError ModelServerError",
  "openai-agents Responses":
    "APIError BadRequestError AuthenticationError APIStatusError PermissionDeniedError NotFoundError RateLimitError InternalServerError",
  "AI SDK Responses": "Error APICallError APICallError APICallError APICallError APICallError RetryError RetryError",
};

const PROMPTS: Prompts<ResponsesClient> = { usual: 1, but: { "LangChain Responses": 8, "pydantic-ai Responses": 6, "openai-agents Responses": 6, "AI SDK Responses": 9 } };

const estimated = (completion: number) => (prompt: number) => ({ charged: [prompt, completion] as const });
const counted = (prompt: number) => ({ sees: prompt + 7, ...estimated(7)(prompt) });
const cut = { does: "stream", sees: FAILED, raises: 200, asked: 1, requests: 1 };

const CASES: Record<string, Case<ResponsesClient>> = {
  // It leaves the choice to the model, and the sandbox calls no tool unasked.
  ...differing(commonCases(PROMPTS), { "a tool of the sandbox": { "pydantic-ai Responses": { requests: 1 } } }),
  "a stream without usage": {
    does: "counted stream",
    model: "no-usage",
    asked: 1,
    requests: 1,
    ...counted(PROMPTS.usual),
    but: byPrompt(PROMPTS, counted),
  },
  // Items of earlier responses are named by their ids alone.
  "a conversation by reference": {
    does: "continued by reference",
    model: "plain",
    sees: WORDS,
    asked: 2,
    requests: 2,
    charged: [14, 10],
  },
  "a response of nobody": { does: "unknown response", model: "plain", sees: /not found/, raises: 404, asked: 0, requests: 1, charged: NOTHING },
  "a stream cut cleanly": { ...cut, model: "cut", ...estimated(2)(PROMPTS.usual), but: byPrompt(PROMPTS, estimated(2)) },
  // Its last event has the whole answer, and so is not made up.
  "only the last event missing": { ...cut, model: "no-last-event", ...estimated(7)(PROMPTS.usual), but: byPrompt(PROMPTS, estimated(7)) },
  "a WebSocket asked for": { does: "web socket", model: "plain", sees: /426/, asked: 0, requests: 1, charged: NOTHING },
};

/** What is not there, or not by a name of its own: OpenAI's clients continue by `previous_response_id`, in "tool". */
const LACKS: Record<ResponsesClient, string[]> = {
  "OpenAI Responses (Python)": ["continued", "continued by reference", "web socket"],
  "OpenAI Responses (Node)": ["continued", "continued by reference", "web socket"],
  "LangChain Responses": ["count", "web socket"],
  "pydantic-ai Responses": ["continued by reference", "web socket"],
  "openai-agents Responses": ["count"],
  "AI SDK Responses": ["count", "web socket"],
};
testCases(CASES, { classes: CLASSES, statuses: STATUSES, lacks: (client, does) => LACKS[client].includes(does) });
