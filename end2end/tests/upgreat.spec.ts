// The two commands of Upgreat's documentation, as they stand there, with only host and key changed.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "../support/gateway.ts";

const MINT = String.raw`curl -X POST https://api.upgreat.ai/v1/projects/{projectId}/inference/keys \
  -H "Authorization: Bearer <access-token>" \
  -H "Content-Type: application/json" \
  -d '{
    "name": "production-backend",
    "rpm": 600,
    "tpm": 200000,
    "token_limit": 5000000,
    "token_limit_period": "month",
    "allowed_models": ["qwen3.6-27b", "bge-m3"]
  }'`;

const CHAT = String.raw`curl https://llm.upgreat.ai/v1/chat/completions \
  -H "Authorization: Bearer <inference-key>" \
  -H "Content-Type: application/json" \
  -d '{ "model": "qwen3.6-27b", "messages": [{"role": "user", "content": "Hi"}] }'`;

/** Runs a command of the documentation with its placeholders filled in. */
async function run(command: string, url: string, values: Record<string, string>): Promise<Record<string, unknown>> {
  const here = command.replace(/https:\/\/[a-z]+\.upgreat\.ai/, url);
  const filled = Object.entries(values).reduce((text, [name, value]) => text.replace(name, value), here);
  expect(filled, "nothing is left to fill in").not.toMatch(/upgreat|<[a-z-]+>|\{projectId\}/);
  const { stdout } = await promisify(execFile)("bash", ["-c", filled], { timeout: 10_000 });
  return JSON.parse(stdout) as Record<string, unknown>;
}

test("a key is made and used with the commands of Upgreat's documentation", async ({ keyholder }) => {
  const { url, accessToken, projectId } = keyholder;
  const made = await run(MINT, url, { "{projectId}": projectId, "<access-token>": accessToken });
  expect(made.key).toMatch(/^lk_live_[0-9A-Za-z]{38}$/);
  expect(made.api_key).toMatchObject({
    kind: "inference",
    name: "production-backend",
    rpm: 600,
    tpm: 200000,
    token_limit: 5000000,
    token_limit_period: "month",
    allowed_models: ["qwen3.6-27b", "bge-m3"],
    status: "active",
  });
  const answer = await run(CHAT, url, { "<inference-key>": made.key as string });
  expect(answer).toMatchObject({
    object: "chat.completion",
    choices: [{ message: { role: "assistant", content: "All is well, Zoë 🗝️" }, finish_reason: "stop" }],
  });
});
