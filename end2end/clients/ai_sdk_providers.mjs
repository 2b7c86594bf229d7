// What the programs with Vercel's AI SDK make their calls by, whatever the provider is.
import { APICallError, generateText, Output, stepCountIs, streamText, tool } from "ai";
import { z } from "zod";

const City = z.object({ city: z.string() });
const prompt = "Hi";
const weather = tool({ inputSchema: City, execute: async ({ city }) => `21 degrees in ${city}` });
/** The tool has to be called first, and then may not be. */
const prepareStep = ({ stepNumber }) => ({ toolChoice: stepNumber === 0 ? "required" : "none" });

/** The calls of a provider, `provider(key)`, each with these options. */
export function callsOf(provider, options = {}) {
  const generate = (model, key, more = {}) => generateText({ model: provider(key)(model), prompt, ...options, ...more });

  /** An error within a stream is told apart from it, as the SDK wants it. */
  async function streamed(model, key) {
    let failure;
    const answer = streamText({ model: provider(key)(model), prompt, ...options, onError: ({ error }) => (failure = error) });
    let text = "";
    for await (const part of answer.textStream) text += part;
    if (failure) throw failure instanceof Error ? failure : new Error(JSON.stringify(failure));
    return { text, usage: (await answer.usage).totalTokens };
  }

  async function limited(model, key) {
    await generate(model, key);
    try {
      return (await generate(model, key, { maxRetries: 0 })).text;
    } catch (error) {
      if (!APICallError.isInstance(error) || error.statusCode !== 429) throw error;
      return `${error.message} (after ${error.responseHeaders["retry-after"]} s)`;
    }
  }

  return {
    answer: async (model, key) => (await generate(model, key)).text,
    stream: async (model, key) => (await streamed(model, key)).text,
    "counted stream": async (model, key) => (await streamed(model, key)).usage,
    tool: async (model, key) => (await generate(model, key, { tools: { weather }, stopWhen: stepCountIs(2), prepareStep })).text,
    structured: async (model, key) => (await generate(model, key, { output: Output.object({ schema: City }) })).output.city,
    limited,
  };
}

/** Two answers, of which the second continues the first. */
export async function continued(model, options) {
  const first = await generateText({ model, prompt, ...options });
  const messages = [{ role: "user", content: prompt }, ...first.response.messages, { role: "user", content: prompt }];
  return (await generateText({ model, messages, ...options })).text;
}
