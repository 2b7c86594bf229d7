// What the strict upstream says in whatever form it is asked, and how it writes it.
import type { ServerResponse } from "node:http";

/** What it says, in the parts in which it streams it. */
export const PARTS = ["All is ", "well, ", "Zoë 🗝️"];
export const WORDS = PARTS.join("");
/** The arguments of every tool that it calls, and every structured output. */
export const CITY = '{"city":"Paris"}';

export function json(response: ServerResponse, status: number, body: object, headers: Record<string, string> = {}): void {
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
}

/** An event of a stream. */
export interface StreamEvent {
  type: string;
  [field: string]: unknown;
}

/** Writes events that are named by their type, and ends. */
export function sendEvents(response: ServerResponse, events: StreamEvent[]): void {
  response.writeHead(200, { "content-type": "text/event-stream" });
  for (const event of events) response.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
  response.end();
}

/** The first of these fields that a body has. */
export function fieldOf(body: object, fields: string[]): string | undefined {
  return fields.find((field) => field in body);
}
