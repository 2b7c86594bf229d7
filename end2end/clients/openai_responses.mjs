// OpenAI's official client for JavaScript, with the Responses API.
import OpenAI from "openai";
import { zodTextFormat } from "openai/helpers/zod";
import { z } from "zod";
import { tell } from "./told.mjs";

const City = z.object({ city: z.string() });
const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false };
const tools = [{ type: "function", name: "weather", parameters, strict: true }];
const input = "Hi";
const responses = (apiKey, options = {}) => new OpenAI({ apiKey, ...options }).responses;

async function streamed(model, key) {
  let text = "";
  for await (const event of await responses(key).create({ model, input, stream: true })) {
    if (event.type === "response.output_text.delta") text += event.delta;
  }
  return text;
}

async function tool(model, key) {
  const asked = await responses(key).create({ model, input, tools, tool_choice: "required" });
  const call = asked.output.find(({ type }) => type === "function_call");
  const answer = { type: "function_call_output", call_id: call.call_id, output: "21 degrees" };
  return (await responses(key).create({ model, input: [answer], previous_response_id: asked.id, tools })).output_text;
}

async function limited(model, key) {
  await responses(key).create({ model, input });
  try {
    return (await responses(key, { maxRetries: 0 }).create({ model, input })).output_text;
  } catch (error) {
    if (!(error instanceof OpenAI.RateLimitError)) throw error;
    return `${error.message} (after ${error.headers.get("retry-after")} s)`;
  }
}

await tell({
  answer: async (model, key) => (await responses(key).create({ model, input })).output_text,
  stream: streamed,
  "counted stream": async (model, key) => (await responses(key).stream({ model, input }).finalResponse()).usage.total_tokens,
  tool,
  structured: async (model, key) =>
    (await responses(key).parse({ model, input, text: { format: zodTextFormat(City, "city") } })).output_parsed.city,
  limited,
  count: async (model, key) => (await responses(key).inputTokens.count({ model, input })).input_tokens,
  "unknown response": async (model, key) =>
    (await responses(key).create({ model, input, previous_response_id: "resp_of_another" })).output_text,
});
