// What a page must not do behind a test's back: print errors or warnings (hydration's come there), break
// its content security policy, throw, or call its own server in vain.
import type { BrowserContext, ConsoleMessage, Page, Request, Response } from "@playwright/test";

/** Chromium's own line for an answer of 400 and up or a failed request; both are seen first hand here. */
const FAILED_RESOURCE = /^Failed to load resource/;

interface Allowed {
  status: number | "failed";
  path: RegExp;
}

/** Collects what goes wrong in the pages of one browser context. */
export class Watch {
  readonly problems: string[] = [];
  private readonly allowed: Allowed[] = [];
  private readonly allowedLines: RegExp[] = [];

  constructor(private readonly origin: string) {}

  /** Says that answers with this status are part of the test. */
  allowStatus(status: number, path: RegExp): void {
    this.allowed.push({ status, path });
  }

  /** Says that requests that get no answer are part of the test. */
  allowFailure(path: RegExp): void {
    this.allowed.push({ status: "failed", path });
  }

  /** Says that such lines in the console are part of the test. */
  allowConsole(text: RegExp): void {
    this.allowedLines.push(text);
  }

  async over(context: BrowserContext): Promise<void> {
    await context.addInitScript(() => {
      document.addEventListener("securitypolicyviolation", (event) => {
        console.error(`CSP: ${event.violatedDirective} blocked ${event.blockedURI || event.sample}`);
      });
    });
    context.on("console", (message) => this.onConsole(message));
    context.on("weberror", (error) => this.problems.push(`uncaught: ${error.error()}`));
    context.on("response", (response) => this.onResponse(response));
    context.on("requestfailed", (request) => this.onFailed(request));
    context.on("page", (page: Page) => page.on("crash", () => this.problems.push(`${page.url()} crashed`)));
  }

  private onConsole(message: ConsoleMessage): void {
    const serious = message.type() === "error" || message.type() === "warning";
    if (!serious || FAILED_RESOURCE.test(message.text())) return;
    if (this.allowedLines.some((line) => line.test(message.text()))) return;
    this.problems.push(`console ${message.type()}: ${message.text()} (${message.location().url})`);
  }

  private onResponse(response: Response): void {
    const path = this.pathOf(response.url());
    if (path === null || response.status() < 400 || this.isAllowed(response.status(), path)) return;
    this.problems.push(`${response.status()} ${response.request().method()} ${path}`);
  }

  private onFailed(request: Request): void {
    const path = this.pathOf(request.url());
    const why = request.failure()?.errorText ?? "";
    // Leaving a page ends what it still had under way.
    if (path === null || why === "net::ERR_ABORTED" || this.isAllowed("failed", path)) return;
    this.problems.push(`${why} ${request.method()} ${path}`);
  }

  private isAllowed(status: number | "failed", path: string): boolean {
    return this.allowed.some((each) => each.status === status && each.path.test(path));
  }

  private pathOf(url: string): string | null {
    return url.startsWith(`${this.origin}/`) ? url.slice(this.origin.length) : null;
  }
}
