// An upstream of the gateway: a server that speaks OpenAI's protocol, and does with a call what the call's `user`
// says.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

const WORDS = ["All ", "is ", "well, ", "Zoë ", "🗝️"];
const USAGE = { prompt_tokens: 7, completion_tokens: 5, total_tokens: 12 };
const VECTOR = [0.25, -0.5, 1];

interface Call {
  path: string;
  body: { model: string; stream?: boolean; stream_options?: { include_usage?: boolean }; encoding_format?: string; user?: string };
}

/** The running upstream. */
export class Upstream {
  /** How often each `user` has called. */
  private readonly calls = new Map<string, number>();

  private constructor(private readonly server: Server) {}

  static async start(): Promise<Upstream> {
    const server = createServer();
    const upstream = new Upstream(server);
    server.on("request", (request, response) => void upstream.answer(request, response));
    await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
    return upstream;
  }

  /** Its base URL, as a client of OpenAI's would be given it. */
  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/v1`;
  }

  /** How often a `user` has called. */
  callsOf(user: string): number {
    return this.calls.get(user) ?? 0;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((closed) => this.server.close(closed));
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const call = { path: request.url ?? "", body: await read(request) };
    const user = call.body.user ?? "";
    this.calls.set(user, this.callsOf(user) + 1);
    switch (user.split(" ")[0]) {
      case "slow":
        await sleep(300);
        break;
      case "silent":
        return;
      case "failing":
        return json(response, 500, { error: { message: "out of memory", type: "server_error", param: null, code: null } });
      case "busy":
        if (this.callsOf(user) > 1) break;
        response.setHeader("retry-after", "1");
        return json(response, 429, { error: { message: "too much to do", type: "tokens", param: null, code: "busy" } });
      case "refusing":
        return json(response, 400, { error: { message: "no such role", type: "invalid_request_error", param: "messages", code: "bad_role" } });
    }
    if (call.path.endsWith("/embeddings")) return json(response, 200, embeddings(call));
    if (call.body.stream) return stream(call, user, response);
    const choice = chat(call) ? { message: { role: "assistant", content: WORDS.join("") } } : { text: WORDS.join("") };
    const usage = user === "uncounted" ? {} : { usage: USAGE };
    json(response, 200, { ...frame(call), ...usage, choices: [{ index: 0, ...choice, finish_reason: "stop" }] });
  }
}

function chat({ path }: Call): boolean {
  return path.endsWith("/chat/completions");
}

function frame(call: Call): object {
  const object = chat(call) ? (call.body.stream ? "chat.completion.chunk" : "chat.completion") : "text_completion";
  return { id: "x", object, created: 1, model: call.body.model };
}

function embeddings({ body }: Call): object {
  const bytes = Buffer.from(new Float32Array(VECTOR).buffer);
  const embedding = body.encoding_format === "base64" ? bytes.toString("base64") : VECTOR;
  return { object: "list", model: body.model, data: [{ object: "embedding", index: 0, embedding }], usage: { prompt_tokens: 3, total_tokens: 3 } };
}

async function stream(call: Call, user: string, response: ServerResponse): Promise<void> {
  response.writeHead(200, { "content-type": "text/event-stream" });
  const send = (event: object): boolean => response.write(`data: ${JSON.stringify({ ...frame(call), ...event })}\n\n`);
  for (const [index, word] of WORDS.entries()) {
    if (index === 2 && user === "dropping") {
      // So that what came before is on its way.
      await sleep(50);
      response.destroy();
      return;
    }
    if (index === 2 && user === "babbling") response.write('data: {"choices": [\n\n');
    const part = chat(call) ? { delta: { content: word } } : { text: word };
    send({ choices: [{ index: 0, ...part, finish_reason: null }] });
    // Apart, as from a model that thinks.
    await sleep(5);
  }
  const end = chat(call) ? { delta: {} } : { text: "" };
  send({ choices: [{ index: 0, ...end, finish_reason: "stop" }] });
  if (call.body.stream_options?.include_usage && user !== "uncounted") send({ choices: [], usage: USAGE });
  response.end("data: [DONE]\n\n");
}

async function read(request: IncomingMessage): Promise<Call["body"]> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  const text = Buffer.concat(parts).toString();
  return text === "" ? { model: "" } : (JSON.parse(text) as Call["body"]);
}

function json(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}
