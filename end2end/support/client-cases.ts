// Cases that are the same for several AI client libraries: what their users see, how often gateway and upstream are
// asked, and what the key is charged. Where a library differs, the case says so.
import { costOf, expect, runClient, testWith, type Client } from "./clients.ts";
import type { InferenceKey } from "./gateway.ts";

/** A model that is not served. */
export const UNKNOWN_MODEL = "gpt-0";

/** What comes of a case. */
interface Outcome {
  /** What the user is given, or what the message of the exception has in it. */
  sees: unknown;
  /** The exception, by the status that the client is answered with. */
  raises?: number;
  /** How often the upstream is asked. */
  asked: number;
  /** How often the gateway is asked, if that is looked at. */
  requests?: number;
  /** Tokens of prompts and of completions. */
  charged: readonly [prompt: unknown, completion: unknown];
}

/** A call: what it does, with which model and limits of its key, and what comes of it. */
export interface Case<C extends Client> extends Outcome {
  does: string;
  model: string;
  limits?: object;
  /** A key that is none. */
  key?: string;
  /** Whether the key is revoked before. */
  isRevoked?: boolean;
  /** Whether another key of the same person is sent too. */
  hasOther?: boolean;
  /** Where a library differs. */
  but?: Partial<Record<C, Partial<Outcome>>>;
}

/** What the cases of a file have in common. */
interface Common<C extends Client> {
  /** What each library raises, in the order of the statuses. */
  classes: Record<C, string>;
  statuses: number[];
  /** What a library can't do. */
  lacks: (client: C, does: string) => boolean;
}

/** A model for each case: its calls are counted by it, and the upstream does as it says before the dot. */
function modelOf(name: string, model: string): string {
  return model === UNKNOWN_MODEL ? model : `${model}.${name.replaceAll(" ", "-")}`;
}

function wanted<C extends Client>(client: C, one: Case<C>, { classes, statuses }: Common<C>): object {
  const { sees, raises, asked, requests, charged }: Outcome = { ...one, ...one.but?.[client] };
  const saw = sees instanceof RegExp ? expect.stringMatching(sees) : sees;
  const raised = raises && classes[client].split(" ")[statuses.indexOf(raises)];
  return { saw, asked, charged, ...(raised ? { raised } : {}), ...(requests === undefined ? {} : { requests }) };
}

/** A test for each client. The program of a client makes all the calls, one after the other. */
export function testCases<C extends Client>(all: Record<string, Case<C>>, common: Common<C>): void {
  const models = Object.entries(all).map(([name, { model }]) => modelOf(name, model));
  const test = testWith(models.filter((model) => model !== UNKNOWN_MODEL));
  for (const client of Object.keys(common.classes) as C[]) {
    test(`${client} shows, asks and is charged what it should`, async ({ keyholder, counter, upstream }) => {
      test.setTimeout(120_000);
      upstream.calls.clear();
      const cases = Object.entries(all).filter(([, { does }]) => !common.lacks(client, does));
      const keys = new Map<string, InferenceKey>();
      for (const [name, { limits, isRevoked }] of cases) {
        const key = await keyholder.create(`${client}: ${name}`, limits);
        keys.set(name, key);
        if (isRevoked) await keyholder.revoke(key);
      }
      const other = await keyholder.key(`${client}: another`);
      const calls = cases.map(([name, one]) => {
        const call = { name, does: one.does, model: modelOf(name, one.model), key: one.key ?? keys.get(name)!.secret };
        return one.hasOther ? { ...call, other } : call;
      });
      const told = await runClient(client, counter.url, calls);
      for (const [name, one] of cases) {
        const used = await keyholder.used(keys.get(name)!);
        const { saw, message, class: raised } = told[name]!;
        const { raises, requests }: Outcome = { ...one, ...one.but?.[client] };
        const seen = {
          saw: saw ?? message,
          ...(raises ? { raised: raised ?? "nothing" } : {}),
          asked: upstream.calls.get(modelOf(name, one.model)) ?? 0,
          charged: [used.prompt_tokens, used.completion_tokens],
          ...(requests === undefined ? {} : { requests: counter.requests(one.key ?? keys.get(name)!.secret) }),
        };
        expect.soft(seen, name).toEqual(wanted(client, one, common));
        expect.soft(used.cost_usd, `cost of ${name}`).toBe(costOf(used.prompt_tokens, used.completion_tokens));
      }
      expect(upstream.faults, "nothing that a gateway may not send").toEqual([]);
    });
  }
}
