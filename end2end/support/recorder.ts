// Everything that the server sends to the browser, to look for what must not be in it.
import type { BrowserContext, Page, Response } from "@playwright/test";

/** One answer of the server: headers and body as one text. */
export interface Recorded {
  request: string;
  text: string;
}

/** Records the server's answers from now on. Static files are left out: they are older than any secret. */
export class Recorder {
  private readonly pending: Promise<Recorded>[] = [];

  constructor(context: BrowserContext, origin: string) {
    context.on("response", (response) => {
      const { pathname } = new URL(response.url());
      if (response.url().startsWith(origin) && !pathname.startsWith("/pkg/")) {
        this.pending.push(record(response));
      }
    });
  }

  /** The answers that contain `text`. */
  async containing(text: string): Promise<string[]> {
    const all = await Promise.all(this.pending);
    return all.filter((recorded) => recorded.text.includes(text)).map((recorded) => recorded.request);
  }
}

async function record(response: Response): Promise<Recorded> {
  const headers = JSON.stringify(await response.allHeaders());
  // A redirect has no body to read, and an aborted answer has none any more.
  const body = await response.text().catch(() => "");
  return { request: `${response.request().method()} ${response.url()}`, text: `${headers}\n${body}` };
}

/** All that a page and its browser keep: the document with its fields, storage, cookies and addresses. */
export async function everythingKept(page: Page): Promise<string> {
  const inPage = await page.evaluate(async () => {
    const fields = [...document.querySelectorAll("input, textarea")].map((field) => (field as HTMLInputElement).value);
    const databases = (await indexedDB.databases()).map((database) => database.name);
    const caches = "caches" in window ? await window.caches.keys() : [];
    return [
      document.documentElement.outerHTML,
      document.title,
      ...fields,
      JSON.stringify(localStorage),
      JSON.stringify(sessionStorage),
      JSON.stringify(history.state),
      location.href,
      ...performance.getEntries().map((entry) => entry.name),
      ...databases,
      ...caches,
    ].join("\n");
  });
  return `${inPage}\n${JSON.stringify(await page.context().cookies())}`;
}
