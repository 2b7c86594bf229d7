// An upstream that takes nothing for granted: it refuses what OpenAI's own API would refuse, notes what no gateway
// may send, and misbehaves in its answers as real servers do, as the model's name says before its first dot.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { CITY, json, PARTS, WORDS } from "./strict-answers.ts";
import { answerMessage, messagesFault, type MessagesBody } from "./strict-messages.ts";
import { StrictResponses, type ResponsesBody } from "./strict-responses.ts";

/** The credential of the operator, which no client knows. */
export const OPERATOR_KEY = "sk-of-the-operator";

export const VECTOR = [0.25, -0.5, 1];
const USAGE = { prompt_tokens: 7, completion_tokens: 5, total_tokens: 12 };
/** What a gateway has a reason to send. */
const HEADERS = ["accept", "authorization", "content-length", "content-type", "host", "user-agent"];
/** What it passes of what clients of the Responses and Messages APIs send. */
const PASSED = [
  "anthropic-version",
  "anthropic-beta",
  "openai-beta",
  "x-client-request-id",
  "session-id",
  "session_id",
  "thread-id",
  "x-codex-turn-metadata",
  "x-codex-turn-state",
  "x-codex-window-id",
  "x-session-affinity",
  "x-claude-code-session-id",
];

interface Message {
  role: string;
  tool_call_id?: string;
}

/** What the bodies of all APIs have. */
interface AnyBody {
  model: string;
}

interface Body extends AnyBody {
  stream?: boolean;
  stream_options?: { include_usage?: boolean };
  encoding_format?: string;
  messages?: Message[];
  input?: unknown;
  tools?: { type: string; function: { name: string } }[];
  tool_choice?: unknown;
  response_format?: { type: string };
  max_tokens?: unknown;
  max_completion_tokens?: unknown;
}

/** The running upstream. */
export class StrictUpstream {
  /** How often each model was asked. */
  readonly calls = new Map<string, number>();
  /** What no gateway may send. */
  readonly faults: string[] = [];
  private readonly responses = new StrictResponses();

  private constructor(private readonly server: Server) {}

  static async start(): Promise<StrictUpstream> {
    const server = createServer();
    const upstream = new StrictUpstream(server);
    server.on("request", (request, response) => void upstream.answer(request, response));
    await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
    return upstream;
  }

  /** Its base URL, as a client of OpenAI's would be given it. */
  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/v1`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((closed) => this.server.close(closed));
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const asked = await read(request);
    const times = (this.calls.get(asked.model) ?? 0) + 1;
    this.calls.set(asked.model, times);
    const api = apiOf(request);
    this.faults.push(...headerFaults(request, api).map((fault) => `${asked.model}: ${fault}`));
    const any: AnyBody = { ...asked, model: asked.model.split(".")[0] ?? "" };
    const refusal = this.bodyFault(request, api, any);
    if (refusal) {
      this.faults.push(`${any.model}: ${refusal}`);
      return json(response, 400, { error: { message: refusal, type: "invalid_request_error", param: null, code: null } });
    }
    if (failed(any.model, times, response)) return;
    switch (api) {
      case "responses":
        return this.responses.answer(any as ResponsesBody, response);
      case "messages":
        return answerMessage(any as MessagesBody, response);
      case "messages/count_tokens":
      case "responses/input_tokens":
        return json(response, 200, { object: "response.input_tokens", input_tokens: 7 });
    }
    const body = any as Body;
    if (body.input !== undefined) return json(response, 200, embeddings(body));
    if (body.stream && body.model !== "json-for-stream") return stream(body, response);
    const usage = body.model === "no-usage" ? {} : { usage: USAGE };
    const { finish, message } = reply(body);
    const answer = { ...frame(body, "chat.completion"), ...usage, choices: [{ index: 0, message, finish_reason: finish }] };
    if (body.model !== "gzip") return json(response, 200, answer);
    const head = { "content-type": "application/json", "content-encoding": "gzip" };
    response.writeHead(200, head).end(gzipSync(JSON.stringify(answer)));
  }

  private bodyFault(request: IncomingMessage, api: Api | undefined, body: AnyBody): string | undefined {
    switch (api) {
      case "responses":
      case "responses/input_tokens":
        return this.responses.fault(body as ResponsesBody);
      case "messages":
      case "messages/count_tokens":
        return messagesFault(request, body as MessagesBody, api !== "messages");
      default:
        return bodyFault(body as Body);
    }
  }
}

/** The APIs that have a file of their own. */
type Api = "responses" | "responses/input_tokens" | "messages" | "messages/count_tokens";

function apiOf({ url }: IncomingMessage): Api | undefined {
  return /\/v1\/(responses(?:\/input_tokens)?|messages(?:\/count_tokens)?)$/.exec(url ?? "")?.[1] as Api | undefined;
}

function headerFaults(request: IncomingMessage, api: Api | undefined): string[] {
  const names = request.rawHeaders.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase());
  const known = api ? [...HEADERS, ...PASSED] : HEADERS;
  const faults = names.filter((name) => !known.includes(name)).map((name) => `header ${name}`);
  if (names.filter((name) => name === "authorization").length !== 1) faults.push("not one credential");
  if (request.headers.authorization !== `Bearer ${OPERATOR_KEY}`) faults.push("another's credential");
  return faults;
}

/** What OpenAI's API answers 400 to. */
function bodyFault(body: Body): string | undefined {
  const caps = [body.max_tokens, body.max_completion_tokens].filter((cap) => cap !== undefined && cap !== null);
  if (caps.length > 1) return "max_tokens and max_completion_tokens cannot both be set";
  if (caps.some((cap) => !Number.isInteger(cap) || (cap as number) < 1)) return "a cap is a positive whole number";
  if (body.stream_options && !body.stream) return "stream_options is for streams only";
  if (body.tool_choice && !body.tools) return "tool_choice is only allowed with tools";
  if (body.messages?.some(({ role, tool_call_id }) => role === "tool" && !tool_call_id)) return "a tool's answer names its call";
  if (!body.messages === (body.input === undefined)) return "neither messages nor input, or both";
  return undefined;
}

/** Answers as a server in trouble, where the model's name says so. */
function failed(model: string, times: number, response: ServerResponse): boolean {
  const error = (message: string, code: string | null = null) => ({ error: { message, type: "server_error", param: null, code } });
  const after = { "retry-after": "1" };
  switch (model) {
    case "detail":
      json(response, 422, { detail: "role is not known" });
      return true;
    case "error-text":
      json(response, 404, { error: "adapter not loaded" });
      return true;
    case "html":
      response.writeHead(405, { "content-type": "text/html" }).end("<html><h1>405 Not Allowed</h1></html>");
      return true;
    case "locked-out":
      json(response, 401, error(`Incorrect API key provided: ${OPERATOR_KEY}`, "invalid_api_key"));
      return true;
    case "busy-once":
      if (times > 1) return false;
      json(response, 429, error("slow down"), after);
      return true;
    case "overloaded-once":
      if (times > 1) return false;
      json(response, 503, error("loading the model"), after);
      return true;
    case "busy":
      json(response, 429, error("slow down"), after);
      return true;
    case "failing":
      json(response, 500, error("out of memory"));
      return true;
    default:
      return false;
  }
}

/** Text, a call of the tool that was offered, or JSON, as the request asks. */
function reply(body: Body): { finish: string; message: Record<string, unknown> } {
  const tool = body.tools?.[0]?.function.name;
  const answered = body.messages?.at(-1)?.role === "tool";
  if (tool && !answered) {
    const call = { id: "call_1", type: "function", function: { name: tool, arguments: CITY } };
    return { finish: "tool_calls", message: { role: "assistant", content: null, tool_calls: [call] } };
  }
  const content = body.response_format && body.response_format.type !== "text" ? CITY : WORDS;
  return { finish: "stop", message: { role: "assistant", content } };
}

function frame(body: Body, object: string): object {
  return { id: "chatcmpl-1", object, created: 1, model: body.model };
}

function stream(body: Body, response: ServerResponse): void {
  const end = { "carriage-returns": "\r", "line-ends": "\r\n" }[body.model] ?? "\n";
  const send = (event: object): void => {
    response.write(`data: ${JSON.stringify({ ...frame(body, "chat.completion.chunk"), ...event })}${end}${end}`);
  };
  const choice = (delta: object, finish: string | null = null): object => ({ choices: [{ index: 0, delta, finish_reason: finish }] });
  response.writeHead(200, { "content-type": "text/event-stream" });
  const { finish, message } = reply(body);
  const calls = message.tool_calls as object[] | undefined;
  send(choice({ role: "assistant", content: "" }));
  if (calls) send(choice({ tool_calls: calls.map((call, index) => ({ index, ...call })) }));
  const parts = message.content === WORDS ? PARTS : [message.content];
  for (const part of calls ? [] : body.model === "cut" ? parts.slice(0, 1) : parts) send(choice({ content: part }));
  if (body.model === "cut") return void response.end();
  send(choice({}, finish));
  if (body.stream_options?.include_usage && body.model !== "no-usage") send({ ...usageChunk(body.model), usage: USAGE });
  response.end(body.model === "no-last-event" ? "" : `data: [DONE]${end}${end}`);
}

/** The choices of the chunk that has the usage: LiteLLM's is empty but there, others have none at all. */
function usageChunk(model: string): object {
  switch (model) {
    case "empty-choice":
      return { choices: [{ index: 0, delta: {}, finish_reason: null }] };
    case "null-choices":
      return { choices: null };
    default:
      return { choices: [] };
  }
}

function embeddings({ model, input, encoding_format }: Body): object {
  const bytes = Buffer.from(new Float32Array(VECTOR).buffer);
  const embedding = encoding_format === "base64" && model !== "floats" ? bytes.toString("base64") : VECTOR;
  const data = (Array.isArray(input) ? input : [input]).map((_, index) => ({ object: "embedding", index, embedding }));
  return { object: "list", model, data, usage: { prompt_tokens: 3, total_tokens: 3 } };
}

async function read(request: IncomingMessage): Promise<AnyBody> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return JSON.parse(Buffer.concat(parts).toString()) as AnyBody;
}
