// One worker: the tests share a server (see support/fixtures.ts), and each brings a person of its own.
import { existsSync } from "node:fs";
import { defineConfig } from "@playwright/test";
import type { ServerSettings } from "./support/server.ts";

// As scripts/bootstrap.sh finds it; where there is none, Playwright's own.
const CHROMIUM = process.env.LATCHKEY_CHROMIUM || "/usr/bin/chromium";

export default defineConfig<object, { settings: ServerSettings }>({
  testDir: "tests",
  outputDir: "test-results",
  workers: 1,
  forbidOnly: !!process.env.CI,
  // A test that passes at the second try is a bug that nobody looks at.
  retries: 0,
  timeout: 60_000,
  expect: { timeout: 10_000 },
  reporter: [["list"], ["html", { open: "never", outputFolder: "playwright-report" }]],
  use: {
    actionTimeout: 10_000,
    navigationTimeout: 15_000,
    browserName: "chromium",
    headless: true,
    viewport: { width: 1440, height: 900 },
    locale: "en-US",
    timezoneId: "UTC",
    colorScheme: "light",
    trace: "retain-on-failure",
    screenshot: "only-on-failure",
    launchOptions: {
      ...(existsSync(CHROMIUM) ? { executablePath: CHROMIUM } : {}),
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    },
  },
});
