#!/usr/bin/env node
// Prisma's query engine as the program that LiteLLM's client starts. No registry has the program, but npm's
// `@prisma/client` has the same engine for WebAssembly, which knows only the JSON protocol and reaches PostgreSQL through
// `pg`. This serves it as the program is served: the GraphQL that Prisma's client for Python writes, by HTTP.
//
//   prisma-engine.mjs -p PORT        with PRISMA_DML_PATH and DATABASE_URL
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const { enginesVersion } = require("@prisma/engines-version");

if (process.argv.includes("--version")) {
  console.log(`query-engine ${enginesVersion.split(".").pop()}`);
  process.exit();
}

const { PrismaPg } = require("@prisma/adapter-pg");
const { bindAdapter } = require("@prisma/driver-adapter-utils");
const { Pool } = require("pg");
const runtime = require.resolve("@prisma/client/runtime/query_engine_bg.postgresql.js");
const bindings = require(runtime);

const wasm = new WebAssembly.Module(readFileSync(runtime.replace(/js$/, "wasm")));
bindings.__wbg_set_wasm(new WebAssembly.Instance(wasm, { "./query_engine_bg.js": bindings }).exports);

const datamodel = readFileSync(process.env.PRISMA_DML_PATH, "utf8");
/** The types of each model's fields. */
const MODELS = Object.fromEntries(
  [...datamodel.matchAll(/^model (\w+) \{(.*?)^\}/gms)].map(([, name, body]) => [
    name,
    Object.fromEntries([...body.matchAll(/^\s*(\w+)\s+(\w+)/gm)].map(([, field, type]) => [field, type])),
  ]),
);
const ACTIONS = new RegExp(
  "^((?:create|update|delete)(?:One|Many)|upsertOne|find(?:Unique|First|Many)|aggregate|groupBy|queryRaw|executeRaw)" +
    "(\\w*?)(OrThrow)?$",
);

const adapter = bindAdapter(new PrismaPg(new Pool({ connectionString: process.env.DATABASE_URL })));
const settings = { datamodel, logLevel: "error", logQueries: false, configDir: ".", env: process.env };
const engine = new bindings.QueryEngine(settings, () => {}, adapter);
await engine.connect("{}");

/** Reads the one field of an operation as the JSON protocol has it. */
function operation(text) {
  const tokens = text.match(/"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|\w+|[{}()[\]:]/g);
  let at = 0;
  const next = (expected) => {
    const token = tokens[at++];
    if (expected && token !== expected) throw new Error(`${expected} is missing at ${at} of ${text}`);
    return token;
  };
  const pairs = (end, read) => {
    const all = {};
    while (tokens[at] !== end) {
      const name = next();
      all[name] = read(name);
    }
    next(end);
    return all;
  };
  const value = () => {
    if (tokens[at] === "{") return next(), pairs("}", () => (next(":"), value()));
    if (tokens[at] !== "[") return JSON.parse(next());
    const list = [];
    for (next("["); tokens[at] !== "]"; ) list.push(value());
    next("]");
    return list;
  };
  const args = () => (tokens[at] === "(" ? (next(), pairs(")", () => (next(":"), value()))) : {});
  const selection = () => (tokens[at] === "{" ? (next(), pairs("}", field)) : {});
  const field = () => {
    const given = args();
    return tokens[at] === "{" ? { arguments: given, selection: selection() } : true;
  };
  next(), next("{"), next("result"), next(":");
  const [, action, modelName, orThrow = ""] = ACTIONS.exec(next());
  if (modelName && !MODELS[modelName]) throw new Error(`no model ${modelName}`);
  const query = { arguments: typed(args(), modelName), selection: selection() };
  return { ...(modelName && { modelName }), action: `${action}${orThrow}`, query };
}

/** Arguments with the type that the JSON protocol wants of JSON, which is a text in GraphQL. */
function typed(value, model) {
  if (Array.isArray(value)) return value.map((one) => typed(one, model));
  if (value === null || typeof value !== "object") return value;
  const member = ([name, one]) => {
    const type = MODELS[model]?.[name];
    if (type === "Json" && typeof one === "string") return [name, { $type: "Json", value: one }];
    return [name, typed(one, MODELS[type] ? type : model)];
  };
  return Object.fromEntries(Object.entries(value).map(member));
}

/** A value without the types that the JSON protocol adds. */
function untyped(value) {
  if (Array.isArray(value)) return value.map(untyped);
  if (value === null || typeof value !== "object") return value;
  if ("$type" in value) return value.value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, untyped(one)]));
}

/** The JSON in rows of a raw query, which the program's driver parses and this one does not. */
function parsed(result) {
  if (!result?.types) return result;
  const json = (value, at) => (result.types[at] === "json" && typeof value === "string" ? JSON.parse(value) : value);
  return { ...result, rows: result.rows.map((row) => row.map(json)) };
}

/** The answer to one operation, whose field is named otherwise. */
function answered({ data, ...rest }) {
  return data ? { data: { result: parsed(untyped(Object.values(data)[0])) }, ...rest } : rest;
}

async function query(body, transaction) {
  const asked = JSON.parse(body);
  if (!asked.batch) {
    return answered(JSON.parse(await engine.query(JSON.stringify(operation(asked.query)), "{}", transaction)));
  }
  const request = { batch: asked.batch.map((one) => operation(one.query)), ...(asked.transaction && { transaction: {} }) };
  const { batchResult, ...rest } = JSON.parse(await engine.query(JSON.stringify(request), "{}", transaction));
  if (!batchResult) return rest;
  return { batchResult: batchResult.map(answered), ...rest };
}

async function serve({ url, headers }, body) {
  const [, transaction, end] = /^\/transaction\/([^/]+)\/(commit|rollback)$/.exec(url) ?? [];
  if (url === "/status") return { status: "ok" };
  if (url === "/transaction/start") return JSON.parse(await engine.startTransaction(body, "{}"));
  if (end === "commit") return JSON.parse(await engine.commitTransaction(transaction, "{}"));
  if (end === "rollback") return JSON.parse(await engine.rollbackTransaction(transaction, "{}"));
  return query(body, headers["x-transaction-id"]);
}

const server = createServer(async (request, response) => {
  let body = "";
  for await (const part of request.setEncoding("utf8")) body += part;
  try {
    response.end(JSON.stringify(await serve(request, body)));
  } catch (error) {
    console.error(`prisma-engine: ${error.stack ?? error}\n${body}`);
    response.writeHead(500).end(`${error}`);
  }
});
server.listen(Number(process.argv[process.argv.indexOf("-p") + 1]));
process.on("SIGINT", () => process.exit());
