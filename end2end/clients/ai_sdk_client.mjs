// Vercel's AI SDK, with its provider for servers that are compatible with OpenAI's.
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { embed, generateText, Output, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";
import { tell } from "./told.mjs";

const City = z.object({ city: z.string() });
const prompt = "Hi";

function provider(apiKey) {
  const options = { includeUsage: true, supportsStructuredOutputs: true };
  return createOpenAICompatible({ name: "latchkey", baseURL: process.env.OPENAI_BASE_URL, apiKey, ...options });
}

/** An error within a stream is told apart from it, as the SDK wants it. */
async function streamed(model, key) {
  let failure;
  const answer = streamText({ model: provider(key)(model), prompt, onError: ({ error }) => (failure = error) });
  let text = "";
  for await (const part of answer.textStream) text += part;
  if (failure) throw failure instanceof Error ? failure : new Error(JSON.stringify(failure));
  return { text, usage: (await answer.usage).totalTokens };
}

const weather = tool({ inputSchema: City, execute: async ({ city }) => `21 degrees in ${city}` });
await tell({
  chat: async (model, key) => (await generateText({ model: provider(key)(model), prompt })).text,
  stream: async (model, key) => (await streamed(model, key)).text,
  "counted stream": async (model, key) => (await streamed(model, key)).usage,
  tool: async (model, key) => (await generateText({ model: provider(key)(model), prompt, tools: { weather }, stopWhen: stepCountIs(2) })).text,
  structured: async (model, key) =>
    (await generateText({ model: provider(key)(model), prompt, output: Output.object({ schema: City }) })).output.city,
  embed: async (model, key) => (await embed({ model: provider(key).embeddingModel(model), value: prompt })).embedding,
});
