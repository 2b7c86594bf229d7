// The whole middleware. It asks Latchkey about the key of each request, and admits nothing that Latchkey did not
// call valid: what goes wrong on the way is 503, with a line for the operator.
import { createHash } from "node:crypto";
import { isIP } from "node:net";

/** @typedef {import("./index.d.ts").Caller} Caller */
/** @typedef {import("./index.d.ts").Options} Options */
/** @typedef {import("express").Request} Request */
/** @typedef {import("express").Response} Response */
/** @typedef {{ status: number, code: string, detail: string, headers: Record<string, string> }} Refusal */
/** @typedef {{ caller: Caller, headers: Record<string, string> }} Admitted */
/** @typedef {Record<string, unknown>} Answer */

const CACHE_LIMIT_MS = 1000;
const CACHE_ENTRIES = 10_000;
const CHALLENGE = 'ApiKey realm="latchkey", Bearer realm="latchkey"';

/** @type {Record<string, number>} */
const STATUS = {
  missing_key: 401,
  malformed_key: 401,
  unknown_key: 401,
  revoked_key: 401,
  expired_key: 401,
  disabled_key: 401,
  rate_limited: 429,
  token_rate_limited: 429,
  too_many_parallel_requests: 429,
  request_budget_exhausted: 429,
  token_budget_exhausted: 429,
  spend_limit_reached: 429,
  quota_exceeded: 429,
  unavailable: 503,
};

/** @type {Record<number, [title: string, detail: string]>} */
const TEXTS = {
  401: ["Unauthorized", "This API key is not valid."],
  403: ["Forbidden", "This API key may not make this request."],
  429: ["Too Many Requests", "This API key has reached a limit."],
  503: ["Service Unavailable", "The API key can't be checked right now. Try again shortly."],
};

const NO_KEY = "No API key was sent. Send it in the x-api-key header, or as Authorization: Bearer.";

/** @type {WeakMap<object, Caller>} */
const callers = new WeakMap();

/** @type {typeof import("./index.d.ts").caller} */
export function caller(request) {
  const found = callers.get(request);
  if (!found) throw new Error("latchkey-express: no caller, because latchkey() does not stand before this handler");
  return found;
}

/** @type {typeof import("./index.d.ts").latchkey} */
export function latchkey(options) {
  const ask = asker(options);
  return async (request, response, next) => {
    const gone = new AbortController();
    const leave = () => gone.abort();
    response.once("close", leave);
    if (response.closed) leave();
    try {
      const outcome = await ask(request, gone.signal);
      if (gone.signal.aborted) return;
      for (const [name, value] of Object.entries(outcome.headers)) response.setHeader(name, value);
      if (!("caller" in outcome)) return refuse(response, outcome);
      callers.set(request, outcome.caller);
      request.latchkey = outcome.caller;
    } catch (error) {
      // A function among the options failed. Express 4 would not notice a rejection.
      return next(error);
    } finally {
      response.off("close", leave);
    }
    next();
  };
}

/** @param {Options} options */
function asker(options) {
  const { url, token, applicationId, scopes, cost = 0, ip, key = presentedKey } = options;
  const { timeoutMs = 2000, cacheMs = 0, log = (/** @type {string} */ line) => console.error(line) } = options;
  const endpoint = endpointOf(url);
  if (!/^[\x21-\x7e]+$/.test(token ?? "")) throw new TypeError("latchkey-express: `token` has to be a service key");
  if (!(timeoutMs > 0)) throw new RangeError("latchkey-express: `timeoutMs` has to be above 0");
  if (!(cacheMs >= 0 && cacheMs <= CACHE_LIMIT_MS)) throw new RangeError("latchkey-express: `cacheMs` is at most 1000");
  /** @type {Map<string, { caller: Caller, until: number }>} */
  const cache = new Map();

  /**
   * @param {Request} request
   * @param {AbortSignal} gone
   * @returns {Promise<Admitted | Refusal>}
   */
  return async (request, gone) => {
    const secret = key(request);
    if (!secret) return refusal("missing_key", NO_KEY);
    const body = JSON.stringify({
      key: secret,
      application_id: applicationId,
      scopes: typeof scopes === "function" ? scopes(request) : scopes,
      cost: typeof cost === "function" ? cost(request) : cost,
      ip: readable(ip?.(request)),
    });
    // The whole question, so that an answer is never taken for another one. The key is kept as a hash alone.
    const question = cacheMs > 0 ? createHash("sha256").update(body).digest("base64") : "";
    const known = cache.get(question);
    if (known && known.until > performance.now()) return { caller: structuredClone(known.caller), headers: {} };
    // From before the call: Latchkey may revoke the key as soon as it has answered.
    const until = performance.now() + cacheMs;
    const answer = await answerTo(body, gone);
    if (typeof answer === "string") {
      if (!gone.aborted) log(`latchkey-express: ${answer}`);
      return refusal("unavailable");
    }
    if (answer.valid !== true) return refused(answer);
    const caller = callerOf(answer);
    if (cacheMs > 0) {
      cache.delete(question);
      // A copy, here and there: handlers may change what they are told.
      cache.set(question, { caller: structuredClone(caller), until });
      if (cache.size > CACHE_ENTRIES) cache.delete(/** @type {string} */ (cache.keys().next().value));
    }
    return { caller, headers: rateHeaders(answer) };
  };

  /**
   * The answer, or what is wrong, in words for the operator.
   * @param {string} body
   * @param {AbortSignal} gone
   * @returns {Promise<Answer | string>}
   */
  async function answerTo(body, gone) {
    try {
      const response = await fetch(endpoint, {
        method: "POST",
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        body,
        // Another host would be sent the service key.
        redirect: "manual",
        signal: AbortSignal.any([gone, AbortSignal.timeout(timeoutMs)]),
      });
      if (response.status !== 200) {
        await response.body?.cancel();
        return `Latchkey answered ${response.status}${hint(response.status)}`;
      }
      const answer = await response.json();
      return isAnswer(answer) ? answer : "Latchkey's answer is none to a verification; check the URL";
    } catch (error) {
      const { name, message, cause } = /** @type {Error & { cause?: { code?: string } }} */ (error);
      if (name === "TimeoutError") return `Latchkey did not answer within ${timeoutMs} ms`;
      return `Latchkey can't be asked: ${cause?.code ?? message}`;
    }
  }
}

/** @param {Request} request */
function presentedKey(request) {
  const own = request.headers["x-api-key"];
  if (own) return String(own);
  return /^bearer +(.+)$/i.exec(request.headers.authorization ?? "")?.[1];
}

/** @param {string} url */
function endpointOf(url) {
  const base = URL.canParse(url) ? new URL(url) : undefined;
  if (!base || !/^https?:$/.test(base.protocol) || base.username || base.search || base.hash) {
    throw new TypeError("latchkey-express: `url` has to be Latchkey's address, as https://latchkey.example.com");
  }
  return `${base.origin}${base.pathname.replace(/\/+$/, "")}/v1/keys/verify`;
}

/**
 * An address that can't be read is none: a key that is bound to networks is then refused.
 * @param {string | undefined} address
 */
function readable(address) {
  const plain = address?.split("%")[0] ?? "";
  return isIP(plain) ? plain : undefined;
}

/** @param {number} status */
function hint(status) {
  if (status === 401 || status === 403 || status === 429) return "; check that `token` is a service key with keys:verify";
  if (status === 422) return "; check `applicationId`, `scopes` and `cost`";
  return status === 404 || status < 400 ? "; check `url`" : "";
}

/**
 * @param {unknown} answer
 * @returns {answer is Answer}
 */
function isAnswer(answer) {
  if (answer === null || typeof answer !== "object") return false;
  const { valid, code, key_id: id } = /** @type {Answer} */ (answer);
  return typeof code === "string" && (valid === false || (valid === true && typeof id === "string"));
}

/**
 * @param {Answer} answer
 * @returns {Caller}
 */
function callerOf(answer) {
  return /** @type {Caller} */ ({
    keyId: answer.key_id,
    name: answer.name,
    environment: answer.environment,
    projectId: answer.project_id,
    applicationId: answer.application_id ?? null,
    externalId: answer.external_id ?? null,
    scopes: Array.isArray(answer.scopes) ? answer.scopes : [],
    metadata: answer.metadata ?? {},
    tags: Array.isArray(answer.tags) ? answer.tags : [],
  });
}

/** @param {Answer} answer */
function refused(answer) {
  const { detail, retry_after_seconds: seconds } = answer;
  const refusedFor = refusal(String(answer.code), typeof detail === "string" ? detail : undefined);
  if (Number.isInteger(seconds)) refusedFor.headers["retry-after"] = String(seconds);
  Object.assign(refusedFor.headers, rateHeaders(answer));
  return refusedFor;
}

/**
 * @param {string} code
 * @param {string} [detail]
 * @returns {Refusal}
 */
function refusal(code, detail) {
  // A later Latchkey may refuse for reasons that this version does not know.
  const status = Object.hasOwn(STATUS, code) ? /** @type {number} */ (STATUS[code]) : 403;
  /** @type {Record<string, string>} */
  const headers = { "cache-control": "no-store" };
  if (status === 401) headers["www-authenticate"] = CHALLENGE;
  if (status === 503) headers["retry-after"] = "1";
  return { status, code, detail: detail ?? textsOf(status)[1], headers };
}

/** @param {number} status */
const textsOf = (status) => /** @type {[string, string]} */ (TEXTS[status]);

/** @param {Answer} answer */
function rateHeaders(answer) {
  /** @type {Record<string, string>} */
  const headers = {};
  for (const [unit, state] of Object.entries({ requests: answer.ratelimit, tokens: answer.tokens })) {
    const { limit, remaining, reset_seconds: reset } = /** @type {Record<string, unknown>} */ (state ?? {});
    if (typeof limit !== "number" || typeof remaining !== "number" || typeof reset !== "number") continue;
    headers[`x-ratelimit-limit-${unit}`] = String(limit);
    headers[`x-ratelimit-remaining-${unit}`] = String(remaining);
    headers[`x-ratelimit-reset-${unit}`] = `${reset.toFixed(3)}s`;
  }
  return headers;
}

/**
 * @param {Response} response
 * @param {Refusal} refusal
 */
function refuse(response, { status, code, detail }) {
  response.statusCode = status;
  response.setHeader("content-type", "application/problem+json");
  response.end(JSON.stringify({ type: "about:blank", title: textsOf(status)[0], status, code, detail }));
}
