// OpenAI's official clients for Python and JavaScript work as they are, with only base URL and key set.
import { expect, test } from "../support/gateway.ts";
import { runClient, type Language } from "../support/openai.ts";

const TEXT = "All is well, Zoë 🗝️";

/** What a client makes of a refusal: its class, its status, and the fields of OpenAI's error. */
function refusal(className: string, status: number | null, type: string, code: string, param: string | null = null): object {
  return { class: className, status, type, code, param };
}

for (const language of ["Python", "JavaScript"] as const satisfies Language[]) {
  test(`OpenAI's client for ${language} works with only base URL and key set`, async ({ keyholder, upstream }) => {
    const name = (what: string): string => `${language}, ${what}`;
    // For a status that has no class of its own.
    const anyStatus = language === "Python" ? "APIStatusError" : "APIError";
    const told = await runClient(language, {
      url: keyholder.url,
      key: await keyholder.key(name("no limits")),
      limited: {
        rpm: await keyholder.key(name("one request a minute"), { rpm: 1 }),
        models: await keyholder.key(name("one model"), { allowed_models: ["bge-m3"] }),
        budget: await keyholder.key(name("one token"), { token_limit: 1, token_limit_period: "month" }),
        test: await keyholder.key(name("sandbox"), { environment: "test" }),
      },
    });
    expect(told).toEqual({
      models: ["bge-m3", "qwen3.6-27b"],
      model: "local",
      chat: { text: TEXT, usage: 12 },
      slow: TEXT,
      uncounted: null,
      stream: { text: TEXT, usage: null },
      "stream with usage": { text: TEXT, usage: 12 },
      completion: TEXT,
      "completion stream": TEXT,
      embedding: [0.25, -0.5, 1],
      "embedding in numbers": [0.25, -0.5, 1],
      sandbox: true,
      "sandbox dimensions": 8,
      // The client waits the second that the upstream asked for, and tries again by itself.
      retried: { text: TEXT, waited: true },
      waits: true,
      dropped: refusal("APIError", null, "server_error", "upstream_error"),
      // Passed on byte for byte, so the client says what it would say of its upstream.
      babbled: "no JSON",
      "no such key": refusal("AuthenticationError", 401, "authentication_error", "malformed_key"),
      "model not allowed": refusal("PermissionDeniedError", 403, "permission_error", "model_not_allowed", "model"),
      "no such model": refusal("NotFoundError", 404, "invalid_request_error", "model_not_found", "model"),
      "requests limited": refusal("RateLimitError", 429, "rate_limit_error", "rate_limited"),
      "budget spent": refusal(anyStatus, 402, "insufficient_quota", "token_budget_exhausted"),
      "no messages": refusal("BadRequestError", 400, "invalid_request_error", "invalid", "messages"),
      "upstream refuses": refusal("BadRequestError", 400, "invalid_request_error", "bad_role", "messages"),
      "upstream busy": refusal("RateLimitError", 429, "rate_limit_error", "upstream_rate_limited"),
      "upstream fails": refusal("InternalServerError", 502, "server_error", "upstream_error"),
      "upstream silent": refusal("InternalServerError", 504, "server_error", "upstream_timeout"),
      afterwards: TEXT,
    });
    expect(upstream.callsOf(`busy ${language.toLowerCase()}`), "refused once, and answered").toBe(2);
  });
}
