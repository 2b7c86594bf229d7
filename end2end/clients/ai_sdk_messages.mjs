// Vercel's AI SDK, with its provider for Anthropic.
import { createAnthropic } from "@ai-sdk/anthropic";
import { callsOf, continued } from "./ai_sdk_providers.mjs";
import { tell } from "./told.mjs";

// Else it prints warnings, as it does not know the model.
globalThis.AI_SDK_LOG_WARNINGS = false;
// Its base URL is that of Anthropic's clients, and `/v1`.
const provider = (apiKey) => createAnthropic({ baseURL: `${process.env.ANTHROPIC_BASE_URL}/v1`, apiKey });

await tell({ ...callsOf(provider), continued: (model, key) => continued(provider(key)(model), {}) });
