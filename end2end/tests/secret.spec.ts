// A secret is shown once, in one dialog, and is nowhere else: not in the page after that, not in the
// browser's storage, not in any other answer, not in the server's log or data.
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "../support/fixtures.ts";
import { everythingKept, Recorder } from "../support/recorder.ts";

test("the secret is shown once and is nowhere afterwards", async ({ application, page, latchkey }) => {
  const recorder = new Recorder(page.context(), latchkey.url);
  const secret = await application.createAndReveal("Web checkout");
  expect(secret).toMatch(/^lk_live_[0-9A-Za-z]{38}$/);
  expect(await page.evaluate(() => Object.values({ ...localStorage, ...sessionStorage }).join())).not.toContain(secret);
  expect(page.url()).not.toContain(secret);
  await application.createdDialog.finish();
  const nowhere = async (when: string) => expect(await everythingKept(page), when).not.toContain(secret);

  await expect(application.keyRow("Web checkout")).toContainText(secret.slice(-4));
  await nowhere("after the dialog has closed");
  const link = page.url();
  await page.reload();
  await expect(application.keyRow("Web checkout")).toBeVisible();
  await nowhere("after a reload");
  await page.getByRole("link", { name: "Applications" }).first().click();
  await expect(application.heading("Applications")).toBeVisible();
  await nowhere("on another page");
  await page.goBack();
  await expect(page).toHaveURL(link);
  await expect(application.keyRow("Web checkout")).toBeVisible();
  await nowhere("after going back");
  await application.revoke("Web checkout");
  await nowhere("after the revocation");

  const answers = await recorder.containing(secret);
  expect(answers, "the answers that contain the secret").toHaveLength(1);
  expect(answers[0]).toMatch(/^POST /);
  for (const file of [latchkey.log, ...(await filesIn(latchkey.folder))]) {
    expect((await readFile(file)).includes(secret), `the secret is in ${file}`).toBe(false);
  }
});

test("closing without storing the key asks first", async ({ application, page }) => {
  const secret = await application.createAndReveal("Nightly export");
  const { createdDialog, closeCheck } = application;
  await expect(createdDialog.done).toBeDisabled();
  for (const close of [() => page.keyboard.press("Escape"), () => createdDialog.close.click()]) {
    await close();
    await expect(closeCheck).toBeVisible();
    await expect(closeCheck).toContainText("The full key for Nightly export won’t be shown again.");
    await closeCheck.getByRole("button", { name: "Go back and copy" }).click();
    await expect(closeCheck).toBeHidden();
    expect(await createdDialog.secret()).toBe(secret);
  }
  await page.keyboard.press("Escape");
  await closeCheck.getByRole("button", { name: "Close anyway" }).click();
  await expect(createdDialog.root).toBeHidden();
  expect(await everythingKept(page)).not.toContain(secret);
  await expect(application.keyRow("Nightly export")).toContainText("Active");
});

test("a stored key closes without a question", async ({ application, page }) => {
  await application.createAndReveal("Partner sync");
  await application.createdDialog.stored.check();
  await expect(application.createdDialog.done).toBeEnabled();
  await page.keyboard.press("Escape");
  await expect(application.createdDialog.root).toBeHidden();
  await expect(application.closeCheck).toBeHidden();
});

test("the copy button copies the whole key and says so", async ({ application, page }) => {
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  const secret = await application.createAndReveal("Web checkout");
  await application.createdDialog.copy.click();
  await expect(application.createdDialog.root.getByText("Copied").first()).toBeVisible();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(secret);
});

test("a browser that refuses the clipboard gets the key selected", async ({ application, page }) => {
  // Headless Chromium grants writing: refuse it as a browser on plain http does, by having no clipboard.
  await page.addInitScript(() => Object.defineProperty(navigator, "clipboard", { value: undefined }));
  await page.reload();
  const secret = await application.createAndReveal("Web checkout");
  await application.createdDialog.copy.click();
  await expect(application.createdDialog.root.getByText("Press Ctrl+C to copy").first()).toBeVisible();
  expect(await page.evaluate(() => getSelection()?.toString())).toContain(secret);
});

test("the programs of every language call this server and never hold the key", async ({ application, latchkey }) => {
  const secret = await application.createAndReveal("Web checkout");
  const { root } = application.createdDialog;
  for (const language of ["curl", "Express", "Go", "Python"]) {
    await root.getByRole("tab", { name: language }).click();
    const code = root.getByRole("tabpanel");
    await expect(code).toContainText(`${latchkey.url}/ingest/traces`);
    await expect(code).toContainText("LATCHKEY_KEY");
    await expect(code).not.toContainText(secret);
  }
});

test("a test key says that it is one", async ({ application }) => {
  const secret = await application.create("Sandbox", "Test");
  expect(secret).toMatch(/^lk_test_[0-9A-Za-z]{38}$/);
  await expect(application.keyRow("Sandbox")).toContainText("Test");
});

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}
