// OpenAI's official client for JavaScript.
import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";
import { tell } from "./told.mjs";

const messages = [{ role: "user", content: "Hi" }];
const tools = [{ type: "function", function: { name: "weather", parameters: { type: "object", properties: { city: { type: "string" } } } } }];
const City = z.object({ city: z.string() });
const chats = (apiKey) => new OpenAI({ apiKey }).chat.completions;

async function streamed(model, key, options = {}) {
  let text = "";
  let usage = null;
  for await (const chunk of await chats(key).create({ model, messages, stream: true, ...options })) {
    for (const choice of chunk.choices) text += choice.delta.content ?? "";
    usage = chunk.usage?.total_tokens ?? usage;
  }
  return { text, usage };
}

async function tool(model, key) {
  const asked = (await chats(key).create({ model, messages, tools })).choices[0].message;
  const answer = { role: "tool", tool_call_id: asked.tool_calls[0].id, content: "21 degrees" };
  return (await chats(key).create({ model, messages: [...messages, asked, answer], tools })).choices[0].message.content;
}

await tell({
  chat: async (model, key) => (await chats(key).create({ model, messages })).choices[0].message.content,
  stream: async (model, key) => (await streamed(model, key)).text,
  "counted stream": async (model, key) => (await streamed(model, key, { stream_options: { include_usage: true } })).usage,
  tool,
  structured: async (model, key) =>
    (await chats(key).parse({ model, messages, response_format: zodResponseFormat(City, "city") })).choices[0].message.parsed.city,
  embed: async (model, apiKey) => (await new OpenAI({ apiKey }).embeddings.create({ model, input: "Hi" })).data[0].embedding,
});
