// Two workers, each with a server of its own that its tests share (see support/fixtures.ts); every test brings
// its own person, so any of them may run beside any other.
import { existsSync } from "node:fs";
import { defineConfig } from "@playwright/test";
import type { ServerSettings } from "./support/server.ts";

// As scripts/bootstrap.sh finds it; where there is none, Playwright's own.
const CHROMIUM = process.env.LATCHKEY_CHROMIUM || "/usr/bin/chromium";

export default defineConfig<object, { settings: ServerSettings }>({
  testDir: "tests",
  outputDir: "test-results",
  workers: 2,
  fullyParallel: true,
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
    // A third of the suite's time: for a test that fails and whose screenshot and log do not say why.
    trace: process.env.LATCHKEY_TRACE ? "retain-on-failure" : "off",
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
