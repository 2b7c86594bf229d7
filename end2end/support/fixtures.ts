// What every test gets: a real server with GitHub's stand-in beside it (one of each for a worker), a person
// of its own, so that no test meets another's keys, and a watch over everything that the pages do.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { test as base } from "@playwright/test";
import { ApiKeys } from "./api-keys.ts";
import { Dashboard } from "./dashboard.ts";
import { Members } from "./members.ts";
import { Latchkey, type ServerSettings } from "./server.ts";
import { GitHub, type Person } from "./stand-in.ts";
import { Watch } from "./watch.ts";

interface PerTest {
  /** A user that the stand-in knows and Latchkey does not yet. */
  person: Person;
  /** What the pages may and may not do. Every test fails on what this saw and was not told to allow. */
  watch: Watch;
  /** The dashboard, nobody signed in. */
  dashboard: Dashboard;
  /** The dashboard after `person` has signed in, on the page of their first application. */
  application: Dashboard;
  /** The API keys page of that person's project, which has none yet. */
  apiKeys: ApiKeys;
  /** Another user that the stand-in knows and Latchkey does not yet. */
  colleague: Person;
  /** Another browser, with nobody signed in. */
  elsewhere: Dashboard;
  /** The members page of that person's organization, where they are alone so far. */
  members: Members;
}

interface PerWorker {
  /** How the server is set up; `test.use({ settings })` gives a file another server. */
  settings: ServerSettings;
  github: GitHub;
  latchkey: Latchkey;
}

let people = 0;

export const test = base.extend<PerTest, PerWorker>({
  settings: [{ github: true, accessTokenTtl: 900 }, { option: true, scope: "worker" }],

  github: [
    async ({}, use, worker) => {
      const github = await GitHub.start(await logFile(worker.project.outputDir, worker.workerIndex, "github"));
      await use(github);
      assertEnded("github-stand-in", await github.stop());
    },
    { scope: "worker" },
  ],

  latchkey: [
    async ({ settings, github }, use, worker) => {
      const log = await logFile(worker.project.outputDir, worker.workerIndex, "latchkey");
      const latchkey = await Latchkey.start(settings, github, log);
      await use(latchkey);
      assertEnded("latchkey", await latchkey.stop());
    },
    { scope: "worker" },
  ],

  baseURL: async ({ latchkey }, use) => use(latchkey.url),

  person: async ({ github }, use, info) => use(await somebody(github, info.workerIndex)),

  colleague: async ({ github }, use, info) => use(await somebody(github, info.workerIndex)),

  watch: [
    async ({ context, latchkey, settings }, use, info) => {
      const watch = new Watch(latchkey.url);
      // Tokens that live for seconds may expire before a test has begun; a 401 is how its page finds out.
      if (settings.accessTokenTtl < 60) watch.allowStatus(401, /^\/api\//);
      await watch.over(context);
      await use(watch);
      if (info.status !== info.expectedStatus || watch.problems.length > 0) {
        await info.attach("latchkey.log", { path: latchkey.log, contentType: "text/plain" });
      }
      base.expect(watch.problems, "what the pages did wrong on the way").toEqual([]);
    },
    { auto: true },
  ],

  dashboard: async ({ page, latchkey }, use) => use(new Dashboard(page, latchkey.url)),

  application: async ({ dashboard, person }, use) => {
    await dashboard.signInPastLogin(person.login);
    await dashboard.openApplication();
    await use(dashboard);
  },

  apiKeys: async ({ application }, use) => {
    const keys = new ApiKeys(application);
    await keys.open();
    await use(keys);
  },

  elsewhere: async ({ browser, watch, latchkey }, use) => {
    const context = await browser.newContext();
    await watch.over(context);
    await use(new Dashboard(await context.newPage(), latchkey.url));
    await context.close();
  },

  members: async ({ application, person }, use) => {
    const members = new Members(application, application.projectId);
    await members.open();
    await expect(members.row(person)).toContainText("You");
    await use(members);
  },
});

export const expect = test.expect;

/** A new person with a GitHub account. */
async function somebody(github: GitHub, worker: number): Promise<Person> {
  const number = ++people;
  const person = { id: 100_000 * (worker + 1) + number, login: `person-${number}`, name: `Person ${number}` };
  await github.add(person);
  return person;
}

async function logFile(outputDir: string, worker: number, name: string): Promise<string> {
  const folder = join(outputDir, "logs");
  await mkdir(folder, { recursive: true });
  return join(folder, `${worker}-${name}.log`);
}

function assertEnded(name: string, how: string): void {
  if (how !== "status 0") throw new Error(`${name} did not end as it should after SIGTERM: ${how}`);
}
