// What stands between clients and the gateway, to count how often each key was sent: also what the gateway refused.
import { createServer, request as send, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { pipeline } from "node:stream";

export class CountingProxy {
  /** How often each key was sent, by the path without its query. */
  private readonly paths = new Map<string, string[]>();

  private constructor(
    private readonly server: Server,
    private readonly target: string,
  ) {}

  static async start(target: string): Promise<CountingProxy> {
    const server = createServer();
    const proxy = new CountingProxy(server, target);
    server.on("request", (request, response) => proxy.forward(request, response));
    await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** How often a key was sent, to paths that end so. */
  requests(key: string, path = ""): number {
    return (this.paths.get(key) ?? []).filter((one) => one.endsWith(path)).length;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((closed) => this.server.close(closed));
  }

  private forward(request: IncomingMessage, response: ServerResponse): void {
    const bearer = request.headers.authorization?.replace(/^Bearer /i, "");
    const keys = [...[request.headers["x-api-key"]].flat(), bearer].filter((key) => key !== undefined);
    const path = (request.url ?? "").split("?")[0] ?? "";
    // Some send two, and may mean the same.
    for (const key of new Set(keys)) this.paths.set(key, [...(this.paths.get(key) ?? []), path]);
    const { host: _, ...headers } = request.headers;
    const options = { method: request.method ?? "GET", headers };
    const onward = send(new URL(request.url ?? "/", this.target), options, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.rawHeaders);
      // A connection that breaks on one side breaks on the other.
      pipeline(answer, response, () => undefined);
    });
    onward.on("error", () => response.destroy());
    response.on("close", () => onward.destroy());
    request.pipe(onward);
  }
}
