// Vercel's AI SDK, with its provider for OpenAI, which uses the Responses API.
import { createOpenAI } from "@ai-sdk/openai";
import { callsOf, continued } from "./ai_sdk_providers.mjs";
import { tell } from "./told.mjs";

const provider = (apiKey) => createOpenAI({ baseURL: process.env.OPENAI_BASE_URL, apiKey });
// Else it names earlier answers by their ids instead of sending them.
const stateless = { providerOptions: { openai: { store: false } } };

await tell({
  ...callsOf(provider),
  continued: (model, key) => continued(provider(key)(model), stateless),
  "continued by reference": (model, key) => continued(provider(key)(model), {}),
  "unknown response": async (model, key) => {
    const options = { providerOptions: { openai: { previousResponseId: "resp_of_another" } } };
    return callsOf(provider, options).answer(model, key);
  },
});
