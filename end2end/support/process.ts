// Programs that a test run starts: on a free port, watched until they answer, and ended as an operator
// would end them.
import { spawn, type ChildProcess } from "node:child_process";
import { createWriteStream, existsSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** How long a program may take to start, and to end. */
const PATIENCE_MS = 20_000;

/** A port that nobody listens on right now. */
export async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((ready) => probe.listen(0, "127.0.0.1", ready));
  const { port } = probe.address() as AddressInfo;
  await new Promise((closed) => probe.close(closed));
  return port;
}

/** The path of a program: as the environment says, else the debug build of this checkout. */
export function binary(variable: string, name: string): string {
  const path = process.env[variable] ?? resolve(import.meta.dirname, "../../target/debug", name);
  if (!existsSync(path)) {
    throw new Error(`${path} is not there. Build it, or set ${variable} (make test does both).`);
  }
  return path;
}

/** A running program. What it prints is kept in a file. */
export class Program {
  private exit: Promise<string>;
  private exited = false;

  private constructor(
    readonly name: string,
    readonly log: string,
    private readonly child: ChildProcess,
  ) {
    this.exit = new Promise((done) => {
      child.once("error", (error) => done(error.message));
      child.once("exit", (code, signal) => done(signal ?? `status ${code}`));
    });
    void this.exit.then(() => (this.exited = true));
  }

  static start(name: string, path: string, args: string[], env: Record<string, string>, log: string): Program {
    // Settings of the person who runs the tests must not leak into the server under test.
    const inherited = Object.entries(process.env).filter(([key]) => !/^(LATCHKEY|DATABASE|REDIS)_/.test(key));
    const child = spawn(path, args, {
      env: { ...Object.fromEntries(inherited), ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const file = createWriteStream(log);
    child.stdout.pipe(file, { end: false });
    child.stderr.pipe(file, { end: false });
    return new Program(name, log, child);
  }

  /** Waits until a GET of `url` is answered with 200. */
  async answers(url: string): Promise<void> {
    const deadline = Date.now() + PATIENCE_MS;
    let last = "no answer";
    while (Date.now() < deadline) {
      if (this.exited) throw new Error(`${this.name} ended with ${await this.exit}; see ${this.log}`);
      try {
        const response = await fetch(url);
        if (response.ok) return;
        last = `${response.status} ${await response.text()}`;
      } catch (error) {
        last = String(error);
      }
      await sleep(50);
    }
    throw new Error(`${this.name} is not ready at ${url}: ${last}; see ${this.log}`);
  }

  /** Asks the program to end, and tells how it did: "status 0" if all is well. */
  async stop(): Promise<string> {
    this.child.kill("SIGTERM");
    const how = await Promise.race([this.exit, sleep(PATIENCE_MS, undefined, { ref: false })]);
    if (how !== undefined) return how;
    this.child.kill("SIGKILL");
    return `no end ${PATIENCE_MS / 1000} s after SIGTERM`;
  }
}
