// OpenAI's official client for JavaScript, as a program uses it that was written for OpenAI's own API. (The last
// major version that runs on Node.js 20, which Debian 13 has.)
//
// Nothing is set in code but what a test needs to be quick: base URL and key come from OPENAI_BASE_URL and
// OPENAI_API_KEY. It prints what it was told, as JSON; client.py makes the same calls. Its argument is JSON too: keys
// with limits, by what they are limited in.
import OpenAI, { APIError, RateLimitError } from "openai";

const CHAT = "qwen3.6-27b";
const VECTORS = "bge-m3";
const keys = JSON.parse(process.argv[2]);
const client = new OpenAI({ maxRetries: 0 });

const messages = [{ role: "user", content: "Hi" }];
const chat = (user, options = {}, of = client) => of.chat.completions.create({ model: CHAT, messages, user, ...options });
const other = (apiKey) => client.withOptions({ apiKey });

async function textOf(stream) {
  let text = "";
  let usage = null;
  for await (const chunk of stream) {
    for (const choice of chunk.choices) text += choice.delta.content ?? "";
    usage = chunk.usage?.total_tokens ?? usage;
  }
  return { text, usage };
}

async function refused(call) {
  try {
    await call();
  } catch (error) {
    if (!(error instanceof APIError)) throw error;
    return { class: error.constructor.name, status: error.status ?? null, type: error.type, code: error.code, param: error.param };
  }
  return null;
}

/** Whether a refusal says how long to wait, in seconds that the client goes by: a minute at most. */
async function waits(key) {
  try {
    await other(key).models.list();
  } catch (error) {
    if (!(error instanceof RateLimitError)) throw error;
    const seconds = Number(error.headers.get("retry-after"));
    return seconds > 0 && seconds <= 60;
  }
  return null;
}

async function isBroken(stream) {
  try {
    await textOf(stream);
  } catch (error) {
    if (error instanceof APIError) return "an error of the API";
    if (error instanceof SyntaxError) return "no JSON";
    throw error;
  }
  return null;
}

async function timed(call) {
  const began = performance.now();
  const answer = await call();
  return { text: answer.choices[0].message.content, waited: performance.now() - began >= 1000 };
}

async function completionText() {
  let text = "";
  const steps = await client.completions.create({ model: CHAT, prompt: "Hi", stream: true });
  for await (const chunk of steps) for (const choice of chunk.choices) text += choice.text;
  return text;
}

async function modelIds() {
  const ids = [];
  for await (const model of client.models.list()) ids.push(model.id);
  return ids;
}

const embed = async (options, of = client) => (await of.embeddings.create({ model: VECTORS, input: "Hi", ...options })).data[0].embedding;
// The only request of its minute. What is refused within the same second is told to wait for 61.
await other(keys.rpm).models.list();
const plain = await chat("plain");
const said = (answer) => answer.choices[0].message.content;
const sandbox = said(await chat("sandbox", {}, other(keys.test)));
const sandboxStream = await textOf(await chat("sandbox", { stream: true }, other(keys.test)));

const told = {
  models: await modelIds(),
  model: (await client.models.retrieve(VECTORS)).owned_by,
  chat: { text: said(plain), usage: plain.usage.total_tokens },
  slow: said(await chat("slow")),
  uncounted: (await chat("uncounted")).usage ?? null,
  stream: await textOf(await chat("plain", { stream: true })),
  "stream with usage": await textOf(await chat("plain", { stream: true, stream_options: { include_usage: true } })),
  completion: (await client.completions.create({ model: CHAT, prompt: "Hi" })).choices[0].text,
  "completion stream": await completionText(),
  embedding: await embed({}),
  "embedding in numbers": await embed({ encoding_format: "float" }),
  sandbox: sandbox === sandboxStream.text,
  "sandbox dimensions": (await embed({ dimensions: 8 }, other(keys.test))).length,
  retried: await timed(() => chat("busy javascript", {}, client.withOptions({ maxRetries: 2 }))),
  waits: await waits(keys.rpm),
  dropped: await refused(async () => textOf(await chat("dropping", { stream: true }))),
  babbled: await isBroken(await chat("babbling", { stream: true })),
  "no such key": await refused(() => chat("plain", {}, other("lk_live_nonsense"))),
  // With the client's own retries: the refusal before it may have ended the connection, as its body was not read.
  "model not allowed": await refused(() => chat("plain", {}, other(keys.models).withOptions({ maxRetries: 2 }))),
  "no such model": await refused(() => client.chat.completions.create({ model: "gpt-0", messages })),
  "requests limited": await refused(() => other(keys.rpm).models.list()),
  "budget spent": await refused(() => chat("plain", {}, other(keys.budget))),
  "no messages": await refused(() => client.chat.completions.create({ model: CHAT, messages: [] })),
  "upstream refuses": await refused(() => chat("refusing")),
  "upstream busy": await refused(() => chat("busy javascript once")),
  "upstream fails": await refused(() => chat("failing")),
  "upstream silent": await refused(() => chat("silent")),
  afterwards: said(await chat("plain")),
};
console.log(JSON.stringify(told));
