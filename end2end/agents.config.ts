// Coding agents as programs: `make test-agents`, which installs them. They take 1 GB, and so are no part of `make test`.
import { defineConfig } from "@playwright/test";

export default defineConfig({
  testDir: "agents",
  outputDir: "test-results/agents",
  workers: 1,
  forbidOnly: !!process.env.CI,
  retries: 0,
  timeout: 180_000,
  reporter: [["list"]],
});
