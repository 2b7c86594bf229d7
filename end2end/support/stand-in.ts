// GitHub's stand-in (end2end/github-stand-in), and what a test may order there.
import { binary, freePort, Program } from "./process.ts";

/** The OAuth app that the stand-in knows. */
export const CLIENT = { id: "Iv1.stand-in", secret: "stand-in-client-secret" };

/** Somebody with a GitHub account. */
export interface Person {
  id: number;
  login: string;
  name: string | null;
}

/** What goes wrong with the next request to an endpoint. */
export interface Fault {
  at: "token" | "user";
  status?: number;
  delay_ms?: number;
}

/** The running stand-in. */
export class GitHub {
  private constructor(
    private readonly program: Program,
    private readonly port: number,
  ) {}

  static async start(log: string): Promise<GitHub> {
    const port = await freePort();
    const path = binary("GITHUB_STAND_IN_BIN", "github-stand-in");
    const github = new GitHub(Program.start("github-stand-in", path, ["--port", `${port}`], {}, log), port);
    await github.program.answers(`${github.apiOrigin}/__control/people`);
    return github;
  }

  /**
   * What the browser sees. Another site than the server's 127.0.0.1, as github.com is: cookies with
   * SameSite would not be tested otherwise.
   */
  get url(): string {
    return `http://localhost:${this.port}`;
  }

  /** What the server calls for a person's data. */
  get apiUrl(): string {
    return `${this.apiOrigin}/api/v3`;
  }

  private get apiOrigin(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  async add(person: Person): Promise<void> {
    await this.order("POST", "/people", person);
  }

  async failNext(fault: Fault): Promise<void> {
    await this.order("POST", "/faults", fault);
  }

  async stop(): Promise<string> {
    return this.program.stop();
  }

  private async order(method: string, path: string, body: object): Promise<void> {
    const response = await fetch(`${this.apiOrigin}/__control${path}`, {
      method,
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  }
}
