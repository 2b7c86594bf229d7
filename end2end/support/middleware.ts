// APIs that our middleware protects (end2end/middleware): each is installed from its folder in clients/ as its
// ecosystem does it, and started with the doors that the tests go through.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readFile, rm } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { test as base } from "@playwright/test";
import { call } from "./api.ts";
import { Keyholder } from "./gateway.ts";
import { binary, freePort, Program } from "./process.ts";
import { Latchkey } from "./server.ts";

const FOLDER = resolve(import.meta.dirname, "../middleware");
const CLIENTS = resolve(import.meta.dirname, "../../clients");
const TARGET = resolve(import.meta.dirname, "../../target");
const PYTHON = join(TARGET, "middleware-python/bin/python");
const GO_APP = join(TARGET, "middleware-go");
const run = promisify(execFile);

export const MIDDLEWARE = ["Express", "Hono", "FastAPI", "net/http", "axum"] as const;
export type Middleware = (typeof MIDDLEWARE)[number];

/** The options of a door, as end2end/middleware reads them. */
export type Door = { url: string; token: string } & Record<string, unknown>;

/** A key of the project: what clients are given, and what the API calls it. */
export interface Key {
  secret: string;
  id: string;
}

/** Somebody who makes keys of a project. */
export class Issuer {
  private readonly made = new Set<string>();

  private constructor(
    private readonly holder: Keyholder,
    readonly applicationId: string,
  ) {}

  static async signIn(url: string): Promise<Issuer> {
    const holder = await Keyholder.signIn(url);
    const authorization = { authorization: `Bearer ${holder.accessToken}` };
    const { body } = await call(`${url}/v1/projects/${holder.projectId}/applications`, "GET", authorization);
    return new Issuer(holder, (body as { data: [{ id: string }] }).data[0].id);
  }

  get projectId(): string {
    return this.holder.projectId;
  }

  /** Every secret that was made here: none may be in a log. */
  get secrets(): string[] {
    return [...this.made];
  }

  async key(name: string, limits: object = {}): Promise<Key> {
    const { key, api_key } = (await this.api(`projects/${this.projectId}/keys`, "POST", { name, ...limits })) as { key: string; api_key: { id: string } };
    this.made.add(key);
    return { secret: key, id: api_key.id };
  }

  async serviceKey(name: string, permission: string): Promise<string> {
    return (await this.key(name, { kind: "service", permissions: [permission] })).secret;
  }

  async change(key: Key, changes: object): Promise<void> {
    await this.api(`keys/${key.id}`, "PATCH", changes);
  }

  async revoke(key: Key): Promise<void> {
    await this.api(`keys/${key.id}`, "DELETE");
  }

  private async api(path: string, method: string, body?: object): Promise<unknown> {
    const url = `${this.holder.url}/v1/${path}`;
    const answer = await call(url, method, { authorization: `Bearer ${this.holder.accessToken}` }, body);
    if (answer.status >= 300) throw new Error(`${method} ${url}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  }
}

const VALID = '{"valid":true,"code":"valid","key_id":"key_1"}';

/** What stands where Latchkey should, by the first part of its path: status, type and body. */
export const ODD: Record<string, [status: number, type: string, body: string]> = {
  "a page": [200, "text/html", "<h1>Welcome</h1>"],
  "a redirect": [307, "text/plain", ""],
  "a text for valid": [200, "application/json", '{"valid":"true","code":"valid","key_id":"key_1"}'],
  "a number for valid": [200, "application/json", '{"valid":1,"code":"valid","key_id":"key_1"}'],
  "null for valid": [200, "application/json", '{"valid":null,"code":"valid","key_id":"key_1"}'],
  "nobody's key": [200, "application/json", '{"valid":true,"code":"valid"}'],
  "no reason": [200, "application/json", '{"valid":false}'],
  "a list": [200, "application/json", `[${VALID}]`],
  "null": [200, "application/json", "null"],
  "half an answer": [200, "application/json", VALID.slice(0, -1)],
  "nothing": [200, "application/json", ""],
  "another success": [201, "application/json", VALID],
  "a failure": [500, "application/json", VALID],
  "a missing page": [404, "text/html", "<h1>Not found</h1>"],
};

/** The name of a door, from words. */
export const doorOf = (words: string): string => words.toLowerCase().replaceAll(/[^a-z]/g, "-");

/** A server that is no Latchkey. */
export class Impostor {
  /** How often a redirect was followed. */
  followed = 0;
  /** Calls that were not answered, and how many of them were given up. */
  waiting = 0;
  givenUp = 0;

  private constructor(private readonly server: Server) {}

  static async start(): Promise<Impostor> {
    const server = createServer((request, response) => {
      const name = request.url?.split("/")[1];
      const [status, type, body] = Object.entries(ODD).find(([words]) => doorOf(words) === name)?.[1] ?? [];
      if (name === "elsewhere") impostor.followed += 1;
      if (name === "silence") {
        impostor.waiting += 1;
        response.once("close", () => (impostor.givenUp += 1));
      } else if (name === "later") {
        response.setHeader("content-type", "application/json").end('{"valid":false,"code":"wrong_moon"}');
      } else {
        response.writeHead(status ?? 200, { "content-type": type ?? "application/json", location: "/elsewhere" }).end(body ?? VALID);
      }
    });
    const impostor = new Impostor(server);
    await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
    return impostor;
  }

  at(name: string): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/${name}`;
  }

  stop(): void {
    this.server.close();
  }
}

/** A running API. */
export interface Protected {
  url: string;
  /** What it has printed. */
  log(): Promise<string>;
}

/** The program that serves the API. */
function command(middleware: Middleware): [program: string, args: string[]] {
  switch (middleware) {
    case "Express":
      return [process.execPath, [join(FOLDER, "express_app.mjs")]];
    case "Hono":
      return [process.execPath, [join(FOLDER, "hono_app.mjs")]];
    case "FastAPI":
      return [PYTHON, [join(FOLDER, "fastapi_app.py")]];
    case "net/http":
      return [GO_APP, []];
    case "axum":
      return [binary("LATCHKEY_AXUM_APP", "examples/doors"), []];
  }
}

/** Installs everything as somebody would who has the folders of `clients`, and no network. */
async function install(): Promise<void> {
  // npm leaves a package alone that is there in the same version.
  for (const name of ["express", "hono"]) await rm(join(FOLDER, "node_modules", `latchkey-${name}`), { recursive: true, force: true });
  const npm = ["install", "--no-save", "--offline", "--no-audit", "--no-fund", "--loglevel=error"];
  const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps", "--no-build-isolation"];
  if (!existsSync(PYTHON)) throw new Error(`${PYTHON} is not there: scripts/bootstrap.sh e2e makes it.`);
  await Promise.all([
    run("npm", npm, { cwd: FOLDER }),
    run(PYTHON, [...pip, "--force-reinstall", join(CLIENTS, "fastapi")]),
    run("go", ["build", "-o", GO_APP, "."], { cwd: join(FOLDER, "go_app") }),
  ]);
}

/** Reads the packages, as installed, and the programs that use them with their ecosystems' own tools. */
export async function checkTypes(): Promise<void> {
  const tsc = resolve(FOLDER, "../node_modules/.bin/tsc");
  const mypy = ["-m", "mypy", "--strict", "--cache-dir", join(TARGET, "middleware-mypy"), join(CLIENTS, "fastapi/src"), join(FOLDER, "fastapi_app.py")];
  await Promise.all([
    run(tsc, ["--project", FOLDER]),
    run(PYTHON, mypy),
    run("go", ["vet", "./..."], { cwd: join(CLIENTS, "go") }),
    run("go", ["vet", "./..."], { cwd: join(FOLDER, "go_app") }),
  ]);
}

interface PerWorker {
  latchkey: Latchkey;
  issuer: Issuer;
  impostor: Impostor;
  /** Each API, once it is wanted. */
  apis: (middleware: Middleware) => Promise<Protected>;
}

/** Tests with APIs before a real Latchkey. */
export const test = base.extend<object, PerWorker>({
  latchkey: [
    async ({}, use, worker) => {
      const logs = join(worker.project.outputDir, "logs");
      await mkdir(logs, { recursive: true });
      const latchkey = await Latchkey.start({ github: false, accessTokenTtl: 900 }, null, join(logs, `${worker.workerIndex}-middleware.log`));
      await use(latchkey);
      const how = await latchkey.stop();
      if (how !== "status 0") throw new Error(`latchkey did not end as it should after SIGTERM: ${how}`);
    },
    { scope: "worker" },
  ],

  issuer: [async ({ latchkey }, use) => use(await Issuer.signIn(latchkey.url)), { scope: "worker" }],

  impostor: [
    async ({}, use) => {
      const impostor = await Impostor.start();
      await use(impostor);
      impostor.stop();
    },
    { scope: "worker" },
  ],

  apis: [
    async ({ latchkey, issuer, impostor }, use, worker) => {
      const doors = JSON.stringify(await doorsOf(latchkey.url, issuer, impostor));
      const started = new Map<Middleware, Program>();
      const urls = new Map<Middleware, string>();
      await install();
      await use(async (middleware) => {
        const log = join(worker.project.outputDir, "logs", `${worker.workerIndex}-${doorOf(middleware)}.log`);
        if (!started.has(middleware)) {
          const port = await freePort();
          const program = Program.start(middleware, ...command(middleware), { PORT: `${port}`, DOORS: doors }, log);
          started.set(middleware, program);
          urls.set(middleware, `http://127.0.0.1:${port}`);
          await program.answers(`${urls.get(middleware)}/open`);
        }
        return { url: urls.get(middleware)!, log: () => readFile(log, "utf8") };
      });
      await Promise.all([...started.values()].map((program) => program.stop()));
    },
    { scope: "worker", timeout: 120_000 },
  ],
});

async function doorsOf(url: string, issuer: Issuer, impostor: Impostor): Promise<Record<string, Door>> {
  const token = await issuer.serviceKey("Verifies", "keys:verify");
  const odd = Object.keys(ODD).map((words): [string, Door] => [doorOf(words), { url: impostor.at(doorOf(words)), token }]);
  return {
    ...Object.fromEntries(odd),
    plain: { url: `${url}/`, token },
    orders: { url, token, scopes: ["orders:read"] },
    either: { url, token, scopes: { any: ["orders:write", { all: ["orders:read", "orders:list"] }] } },
    application: { url, token, application_id: issuer.applicationId },
    costly: { url, token, cost: 60 },
    bound: { url, token, ip_header: "x-test-ip" },
    own: { url, token, key_header: "x-shop-key" },
    cached: { url, token, cache_ms: 1000 },
    wrong: { url, token: "lk_live_nonsense" },
    powerless: { url, token: await issuer.serviceKey("Reads", "keys:read") },
    away: { url: "http://127.0.0.1:1", token },
    later: { url: impostor.at("later"), token },
    silent: { url: impostor.at("silence"), token, timeout_ms: 300 },
    patient: { url: impostor.at("silence"), token, timeout_ms: 10_000 },
  };
}

export const expect = test.expect;
