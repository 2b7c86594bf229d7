// OpenAI's Responses API, as the strict upstream has it: it refuses the fields of chats, and knows its own responses
// only.
import { randomUUID } from "node:crypto";
import type { ServerResponse } from "node:http";
import { CITY, fieldOf, json, PARTS, sendEvents, WORDS, type StreamEvent } from "./strict-answers.ts";

const FOREIGN = ["messages", "max_tokens", "max_completion_tokens", "response_format", "stop"];
const USAGE = {
  input_tokens: 7,
  input_tokens_details: { cached_tokens: 0 },
  output_tokens: 5,
  output_tokens_details: { reasoning_tokens: 0 },
  total_tokens: 12,
};

interface Item {
  type?: string;
  call_id?: string;
}

export interface ResponsesBody {
  model: string;
  stream?: boolean;
  stream_options?: { include_usage?: boolean };
  store?: boolean;
  input?: string | Item[];
  previous_response_id?: string | null;
  tools?: { type: string; name?: string }[];
  text?: { format?: { type: string } };
  max_output_tokens?: unknown;
}

/** A response, and what it consists of. */
interface Made {
  response: Record<string, unknown>;
  item: Record<string, unknown> & { id: string };
}

export class StrictResponses {
  private readonly stored = new Set<string>();

  /** What OpenAI's API refuses. */
  fault(body: ResponsesBody): string | undefined {
    const foreign = fieldOf(body, FOREIGN);
    if (foreign) return `Unsupported parameter: ${foreign}`;
    if (body.stream_options && "include_usage" in body.stream_options) return "Unknown parameter: stream_options.include_usage";
    if (body.input === undefined) return "no input";
    const cap = body.max_output_tokens ?? 16;
    if (!Number.isInteger(cap) || (cap as number) < 16) return "max_output_tokens is at least 16";
    if (outputs(body).some(({ call_id }) => !call_id)) return "a tool's answer names its call";
    const previous = body.previous_response_id;
    if (previous && !this.stored.has(previous)) return `Previous response with id '${previous}' not found.`;
    return undefined;
  }

  answer(body: ResponsesBody, response: ServerResponse): void {
    const made = this.make(body);
    if (!body.stream) return json(response, 200, made.response);
    const events = eventsOf(made, PARTS);
    const until = { cut: 5, "no-last-event": -1 }[body.model];
    sendEvents(response, events.slice(0, until).map((event, index) => ({ ...event, sequence_number: index })));
  }

  private make(body: ResponsesBody): Made {
    const id = `resp_${randomUUID()}`;
    if (body.store !== false) this.stored.add(id);
    const item = itemOf(body);
    const usage = body.model === "no-usage" ? null : USAGE;
    const response = { ...frame(id, body), status: "completed", output: [item], usage };
    return { response, item };
  }
}

/** The answers of tools. */
function outputs({ input }: ResponsesBody): Item[] {
  return Array.isArray(input) ? input.filter(({ type }) => type === "function_call_output") : [];
}

function frame(id: string, body: ResponsesBody): object {
  const rest = { error: null, incomplete_details: null, instructions: null, metadata: {}, parallel_tool_calls: true };
  const choices = { tool_choice: "auto", tools: body.tools ?? [], temperature: 1, top_p: 1 };
  return { id, object: "response", created_at: 1, model: body.model, ...rest, ...choices };
}

function itemOf(body: ResponsesBody): Made["item"] {
  const id = randomUUID();
  const tool = body.tools?.find(({ type }) => type === "function")?.name;
  if (tool && outputs(body).length === 0) {
    return { id: `fc_${id}`, type: "function_call", status: "completed", call_id: `call_${id}`, name: tool, arguments: CITY };
  }
  const format = body.text?.format?.type ?? "text";
  const content = [partOf(format === "text" ? WORDS : CITY)];
  return { id: `msg_${id}`, type: "message", status: "completed", role: "assistant", content };
}

function partOf(text: string): object {
  return { type: "output_text", text, annotations: [], logprobs: [] };
}

/** The events of an answer's stream. A message's words come in the fifth and the following. */
function eventsOf({ response, item }: Made, words: string[]): StreamEvent[] {
  const begun = { ...response, status: "in_progress", output: [], usage: null };
  const inProgress = { ...item, status: "in_progress" };
  const place = { item_id: item.id, output_index: 0 };
  const isCall = item.type === "function_call";
  const middle = isCall
    ? [
        { type: "response.function_call_arguments.delta", ...place, delta: CITY },
        { type: "response.function_call_arguments.done", ...place, name: item.name, arguments: CITY },
      ]
    : messageEvents({ ...place, content_index: 0 }, item, words);
  const added = isCall ? { ...inProgress, arguments: "" } : { ...inProgress, content: [] };
  return [
    { type: "response.created", response: begun },
    { type: "response.in_progress", response: begun },
    { type: "response.output_item.added", output_index: 0, item: added },
    ...middle,
    { type: "response.output_item.done", output_index: 0, item },
    { type: "response.completed", response },
  ];
}

function messageEvents(place: object, item: Made["item"], words: string[]): StreamEvent[] {
  const part = (item.content as { text: string }[])[0]!;
  const parts = part.text === WORDS ? words : [part.text];
  return [
    { type: "response.content_part.added", ...place, part: partOf("") },
    ...parts.map((delta) => ({ type: "response.output_text.delta", ...place, delta, logprobs: [] })),
    { type: "response.output_text.done", ...place, text: part.text, logprobs: [] },
    { type: "response.content_part.done", ...place, part },
  ];
}
