// The server under test: the real binary on a data folder of its own.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { binary, freePort, Program } from "./process.ts";
import { CLIENT, type GitHub } from "./stand-in.ts";

/** The code that local sign-in wants. */
export const LOCAL_CODE = "a code for tests & links";

/** Where the local developer signs in: the link that the server's log shows. */
export const LOCAL_SIGN_IN = `/login#code=${encodeURIComponent(LOCAL_CODE)}`;

/** How the server of a test file is set up. */
export interface ServerSettings {
  /** Whether people sign in with GitHub. Without, the login page offers the local developer. */
  github: boolean;
  /** How many seconds an access token lives. */
  accessTokenTtl: number;
  /** The gateway's upstreams: the text of their file, and how many seconds they may be silent. */
  upstreams?: { file: string; timeout: number };
  /** More of the environment, such as the credentials of upstreams. */
  env?: Record<string, string>;
}

/** The running server. */
export class Latchkey {
  private constructor(
    readonly url: string,
    private readonly program: Program,
    /** The data folder. */
    readonly folder: string,
  ) {}

  static async start(settings: ServerSettings, github: GitHub | null, log: string): Promise<Latchkey> {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const folder = await mkdtemp(join(tmpdir(), "latchkey-end2end-"));
    const env: Record<string, string> = {
      LATCHKEY_LISTEN: `127.0.0.1:${port}`,
      LATCHKEY_PUBLIC_URL: url,
      LATCHKEY_DATA_DIR: folder,
      LATCHKEY_LOCAL_CODE: LOCAL_CODE,
      LATCHKEY_ACCESS_TOKEN_TTL: `${settings.accessTokenTtl}`,
      // One person makes what a test needs as fast as it can.
      LATCHKEY_WRITES_PER_MINUTE: "1000000",
      ...settings.env,
    };
    if (settings.upstreams) {
      env.LATCHKEY_UPSTREAMS = join(folder, "upstreams.toml");
      env.LATCHKEY_UPSTREAM_TIMEOUT = `${settings.upstreams.timeout}`;
      await writeFile(env.LATCHKEY_UPSTREAMS, settings.upstreams.file);
    }
    if (settings.github && github) {
      env.LATCHKEY_GITHUB_CLIENT_ID = CLIENT.id;
      env.LATCHKEY_GITHUB_CLIENT_SECRET = CLIENT.secret;
      env.LATCHKEY_GITHUB_URL = github.url;
      env.LATCHKEY_GITHUB_API_URL = github.apiUrl;
    }
    const program = Program.start("latchkey", binary("LATCHKEY_BIN", "latchkey"), ["serve"], env, log);
    const server = new Latchkey(url, program, folder);
    try {
      await program.answers(`${url}/readyz`);
    } catch (error) {
      await server.stop();
      throw error;
    }
    return server;
  }

  /** The file with what the server printed. */
  get log(): string {
    return this.program.log;
  }

  async stop(): Promise<string> {
    const how = await this.program.stop();
    await rm(this.folder, { recursive: true, force: true });
    return how;
  }
}
