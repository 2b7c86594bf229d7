// Anthropic's official client for JavaScript.
import Anthropic from "@anthropic-ai/sdk";
import { zodOutputFormat } from "@anthropic-ai/sdk/helpers/zod";
import { z } from "zod";
import { tell } from "./told.mjs";

const City = z.object({ city: z.string() });
const tools = [{ name: "weather", input_schema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] } }];
const messages = [{ role: "user", content: "Hi" }];
const client = (apiKey, options = {}) => new Anthropic({ apiKey, ...options });
const create = (model, key, more = {}) => client(key).messages.create({ model, max_tokens: 1000, messages, ...more });
const text = ({ content }) => content.map((block) => (block.type === "text" ? block.text : "")).join("");

async function streamed(model, key) {
  let text = "";
  for await (const event of await create(model, key, { stream: true })) {
    if (event.type === "content_block_delta" && event.delta.type === "text_delta") text += event.delta.text;
  }
  return text;
}

async function countedStream(model, key) {
  const { usage } = await client(key).messages.stream({ model, max_tokens: 1000, messages }).finalMessage();
  return usage.input_tokens + usage.output_tokens;
}

async function tool(model, key) {
  const asked = await create(model, key, { tools, tool_choice: { type: "any" } });
  const call = asked.content.find(({ type }) => type === "tool_use");
  const answer = { type: "tool_result", tool_use_id: call.id, content: "21 degrees" };
  const conversation = [...messages, { role: "assistant", content: asked.content }, { role: "user", content: [answer] }];
  return text(await create(model, key, { messages: conversation, tools }));
}

async function structured(model, key) {
  const output_config = { format: zodOutputFormat(City) };
  return (await client(key).messages.parse({ model, max_tokens: 1000, messages, output_config })).parsed_output.city;
}

async function limited(model, key) {
  await create(model, key);
  try {
    return text(await client(key, { maxRetries: 0 }).messages.create({ model, max_tokens: 1000, messages }));
  } catch (error) {
    if (!(error instanceof Anthropic.RateLimitError)) throw error;
    return `${error.message} (after ${error.headers.get("retry-after")} s)`;
  }
}

async function models(_, key) {
  const ids = [];
  for await (const { id } of client(key).models.list()) ids.push(id);
  return ids;
}

const count = async (model, key) => (await client(key).messages.countTokens({ model, messages })).input_tokens;

async function counts(model, key) {
  const all = await Promise.all(Array.from({ length: 25 }, () => count(model, key)));
  return all.reduce((sum, one) => sum + one, 0);
}

async function thinking(model, key) {
  return text(await create(model, key, { max_tokens: 4000, thinking: { type: "enabled", budget_tokens: 3000 } }));
}

await tell({
  answer: async (model, key) => text(await create(model, key)),
  stream: streamed,
  "counted stream": countedStream,
  tool,
  structured,
  limited,
  count,
  counts,
  thinking,
  "v1 twice": async (model, key) => {
    const doubled = client(key, { baseURL: process.env.OPENAI_BASE_URL });
    return text(await doubled.messages.create({ model, max_tokens: 1000, messages }));
  },
  "two keys": async (model, key, other) => {
    const both = client(key, { defaultHeaders: { "x-api-key": other } });
    return text(await both.messages.create({ model, max_tokens: 1000, messages }));
  },
  models,
});
