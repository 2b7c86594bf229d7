// Anthropic's Messages API, as the strict upstream has it: it wants what that API wants, and refuses the fields of
// OpenAI's.
import type { IncomingMessage, ServerResponse } from "node:http";
import { CITY, fieldOf, json, PARTS, sendEvents, WORDS, type StreamEvent } from "./strict-answers.ts";

const FOREIGN = ["max_completion_tokens", "max_output_tokens", "stream_options", "response_format", "n", "input"];

interface Block {
  type: string;
  tool_use_id?: string;
}

export interface MessagesBody {
  model: string;
  stream?: boolean;
  max_tokens?: unknown;
  messages?: { role: string; content: string | Block[] }[];
  tools?: { name: string }[];
  thinking?: { type: string; budget_tokens?: number };
  output_config?: { format?: { type: string } };
}

/** What Anthropic's API refuses. */
export function messagesFault(request: IncomingMessage, body: MessagesBody, counts: boolean): string | undefined {
  if (!request.headers["anthropic-version"]) return "anthropic-version: header is required";
  const foreign = fieldOf(body, FOREIGN);
  if (foreign) return `${foreign}: Extra inputs are not permitted`;
  if (!body.messages) return "messages: Field required";
  if (!counts && !Number.isInteger(body.max_tokens)) return "max_tokens: Field required";
  const budget = body.thinking?.budget_tokens;
  if (budget !== undefined && budget < 1024) return "thinking.budget_tokens: Input should be greater than or equal to 1024";
  if (budget !== undefined && budget >= Number(body.max_tokens)) return "`max_tokens` must be greater than `thinking.budget_tokens`";
  if (results(body).some(({ tool_use_id }) => !tool_use_id)) return "a tool's answer names its call";
  return undefined;
}

export function answerMessage(body: MessagesBody, response: ServerResponse): void {
  const { block, stop } = replyTo(body);
  const usage = usageOf(body.model);
  const message = { ...frame(body), content: [block], stop_reason: stop, usage: { ...usage, output_tokens: completionOf(body.model) } };
  if (!body.stream) return json(response, 200, message);
  const events = eventsOf(body, block, stop);
  const until = { cut: 3, "no-last-event": -1 }[body.model];
  sendEvents(response, events.slice(0, until));
}

/** The answers of tools in the last message. */
function results({ messages }: MessagesBody): Block[] {
  const content = messages?.at(-1)?.content;
  return Array.isArray(content) ? content.filter(({ type }) => type === "tool_result") : [];
}

function frame(body: MessagesBody): object {
  return { id: "msg_1", type: "message", role: "assistant", model: body.model, stop_sequence: null };
}

/** What is known of the prompt: 7 tokens, of which those of a cache are told apart. */
function usageOf(model: string): object {
  if (model === "no-usage") return { input_tokens: 0 };
  const [read, written] = model === "cached" ? [3, 1] : [0, 0];
  return { input_tokens: 7 - read - written, cache_read_input_tokens: read, cache_creation_input_tokens: written };
}

/** Some servers count nothing, and say zero. */
function completionOf(model: string): number {
  return model === "no-usage" ? 0 : 5;
}

/** Text, a call of the tool that was offered, or JSON, as the request asks. */
function replyTo(body: MessagesBody): { block: Record<string, unknown>; stop: string } {
  const tool = body.tools?.[0]?.name;
  if (tool && results(body).length === 0) {
    return { block: { type: "tool_use", id: "toolu_1", name: tool, input: JSON.parse(CITY) as object }, stop: "tool_use" };
  }
  return { block: { type: "text", text: body.output_config?.format ? CITY : WORDS }, stop: "end_turn" };
}

/** The events of an answer's stream. Its content comes in the third and the following. */
function eventsOf(body: MessagesBody, block: Record<string, unknown>, stop: string): StreamEvent[] {
  const begun = { ...frame(body), content: [], stop_reason: null, usage: { ...usageOf(body.model), output_tokens: Math.min(1, completionOf(body.model)) } };
  const isText = block.type === "text";
  const empty = isText ? { ...block, text: "" } : { ...block, input: {} };
  const texts = block.text === WORDS ? PARTS : [block.text];
  const deltas = isText
    ? texts.map((text) => ({ type: "text_delta", text }))
    : [{ type: "input_json_delta", partial_json: CITY }];
  return [
    { type: "message_start", message: begun },
    { type: "content_block_start", index: 0, content_block: empty },
    ...deltas.map((delta) => ({ type: "content_block_delta", index: 0, delta })),
    { type: "content_block_stop", index: 0 },
    { type: "message_delta", delta: { stop_reason: stop, stop_sequence: null }, usage: { output_tokens: completionOf(body.model) } },
    { type: "message_stop" },
  ];
}
