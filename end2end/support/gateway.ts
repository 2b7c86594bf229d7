// A gateway with an upstream behind it and somebody who makes inference keys. No browser is needed: this is for
// tests of what programs see.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { test as base } from "@playwright/test";
import { call } from "./api.ts";
import { Latchkey, LOCAL_CODE } from "./server.ts";
import { Upstream } from "./upstream.ts";

/** An inference key: what clients are given, and what the API calls it. */
export interface InferenceKey {
  secret: string;
  id: string;
}

/** What a key has used. */
export interface Totals {
  requests: number;
  prompt_tokens: number;
  completion_tokens: number;
  cost_usd: string;
}

/** Somebody who is signed in as the local developer, on a tier without limits. */
export class Keyholder {
  private constructor(
    readonly url: string,
    readonly accessToken: string,
    readonly projectId: string,
  ) {}

  static async signIn(url: string): Promise<Keyholder> {
    const body = new URLSearchParams({ code: LOCAL_CODE });
    const signedIn = await fetch(`${url}/auth/local`, { method: "POST", headers: { origin: url }, body, redirect: "manual" });
    const cookie = signedIn.headers.getSetCookie().find((one) => one.startsWith("latchkey_refresh="));
    const refreshToken = cookie?.split(";")[0]?.slice("latchkey_refresh=".length);
    const { token } = (await call(`${url}/refresh`, "POST", {}, { refreshToken })).body as { token: string };
    const authorization = { authorization: `Bearer ${token}` };
    const me = await call(`${url}/v1/me`, "GET", authorization);
    const organization = `${url}/v1/organizations/${(me.body as { organizations: [{ id: string }] }).organizations[0].id}`;
    await call(organization, "PATCH", authorization, { tier: "enterprise" });
    const projects = await call(`${organization}/projects`, "GET", authorization);
    return new Keyholder(url, token, (projects.body as { data: [{ id: string }] }).data[0].id);
  }

  /** Makes an inference key. */
  async key(name: string, limits: object = {}): Promise<string> {
    return (await this.create(name, limits)).secret;
  }

  /** Makes an inference key, for a test that also asks what it has used. */
  async create(name: string, limits: object = {}): Promise<InferenceKey> {
    const url = `${this.url}/v1/projects/${this.projectId}/inference/keys`;
    const made = await call(url, "POST", { authorization: `Bearer ${this.accessToken}` }, { name, ...limits });
    if (made.status !== 201) throw new Error(`${url}: ${made.status} ${JSON.stringify(made.body)}`);
    const { key, api_key } = made.body as { key: string; api_key: { id: string } };
    return { secret: key, id: api_key.id };
  }

  /** Revokes a key, for ever. */
  async revoke({ id }: InferenceKey): Promise<void> {
    const url = `${this.url}/v1/keys/${id}`;
    const { status } = await call(url, "DELETE", { authorization: `Bearer ${this.accessToken}` });
    if (status !== 204) throw new Error(`DELETE ${url}: ${status}`);
  }

  /** What a key has used in this hour. */
  async used({ id }: InferenceKey): Promise<Totals> {
    const url = `${this.url}/v1/inference/keys/${id}/usage?range=1h`;
    const { body } = await call(url, "GET", { authorization: `Bearer ${this.accessToken}` });
    return (body as { totals: Totals }).totals;
  }
}

interface PerWorker {
  upstream: Upstream;
  latchkey: Latchkey;
  keyholder: Keyholder;
}

export const test = base.extend<object, PerWorker>({
  upstream: [
    async ({}, use) => {
      const upstream = await Upstream.start();
      await use(upstream);
      await upstream.stop();
    },
    { scope: "worker" },
  ],

  latchkey: [
    async ({ upstream }, use, worker) => {
      const logs = join(worker.project.outputDir, "logs");
      await mkdir(logs, { recursive: true });
      const file = [
        "[[upstream]]",
        'name = "local"',
        `base_url = "${upstream.url}"`,
        'models = ["bge-m3", { id = "qwen3.6-27b", upstream = "Qwen/Qwen3.6-27B" }]',
      ];
      const settings = { github: false, accessTokenTtl: 900, upstreams: { file: file.join("\n"), timeout: 1 } };
      const latchkey = await Latchkey.start(settings, null, join(logs, `${worker.workerIndex}-gateway.log`));
      await use(latchkey);
      const how = await latchkey.stop();
      if (how !== "status 0") throw new Error(`latchkey did not end as it should after SIGTERM: ${how}`);
    },
    { scope: "worker" },
  ],

  keyholder: [async ({ latchkey }, use) => use(await Keyholder.signIn(latchkey.url)), { scope: "worker" }],
});

export const expect = test.expect;
