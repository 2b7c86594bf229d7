// “Is this my key?”: the browser alone says what a pasted secret is.
import type { Request } from "@playwright/test";
import { expect, test } from "../support/fixtures.ts";
import { everythingKept } from "../support/recorder.ts";

test("a pasted key is found by its visible characters, and nothing leaves the browser", async ({ apiKeys, page }) => {
  const secret = await apiKeys.create("Web checkout");
  const other = await apiKeys.create("Nightly export", "Test");
  await apiKeys.openCheck();
  const { check } = apiKeys;
  const field = check.getByRole("textbox", { name: "Paste a key" });
  await expect(field).toBeFocused();
  // What the dialog compares with is fetched before anything is pasted.
  await page.waitForLoadState("networkidle");
  const sent: string[] = [];
  const note = (request: Request) => sent.push(`${request.method()} ${request.url()}`);
  page.on("request", note);
  await field.pressSequentially(secret.slice(0, 20), { delay: 10 });
  await expect(check.getByText("This isn’t a complete key.")).toBeVisible();
  await field.fill(` ${secret}\n`);
  await expect(check.getByText("This is a well-formed live key: its checksum is right.")).toBeVisible();
  await expect(check.getByRole("listitem")).toContainText("Web checkout");
  await expect(check.getByText(/a match of the visible characters, not proof/)).toBeVisible();
  await field.fill(other);
  await expect(check.getByRole("listitem")).toContainText("Nightly export");
  // Longer than the list waits before it asks again.
  await page.waitForTimeout(3_000);
  page.off("request", note);
  expect(sent).toEqual([]);
  expect(page.url()).not.toContain(other);

  await page.keyboard.press("Escape");
  await expect(check).toBeHidden();
  const kept = await everythingKept(page);
  for (const one of [secret, other]) expect(kept).not.toContain(one);
  await apiKeys.openCheck();
  await expect(field).toHaveValue("");
});

test("a mistyped, a foreign and an unknown key are told apart", async ({ apiKeys }) => {
  const secret = await apiKeys.create("Web checkout");
  await apiKeys.openCheck();
  const { check } = apiKeys;
  const field = check.getByRole("textbox", { name: "Paste a key" });
  const at = secret.length - 10;
  await field.fill(secret.slice(0, at) + (secret[at] === "a" ? "b" : "a") + secret.slice(at + 1));
  await expect(check.getByText(/The checksum doesn’t match\. Check that you copied/)).toBeVisible();
  await field.fill("sk-proj-0123456789");
  await expect(check.getByText(/A key has the form/)).toBeVisible();
  // A key of another server, as the checksum is not a secret: 32 zeros and their CRC-32.
  await field.fill(withChecksum(`lk_live_${"0".repeat(32)}`));
  await expect(check.getByText("No key of this project matches.")).toBeVisible();
  await expect(check.getByText("It was compared with all keys, including revoked and archived ones.")).toBeVisible();
});

test("revoked keys and old secrets are recognised too", async ({ apiKeys }) => {
  const { dashboard, check } = apiKeys;
  const before = await apiKeys.create("Web checkout");
  const revoked = await apiKeys.create("Old");
  await dashboard.revoke("Old");
  await dashboard.openAction("Old", "Archive");
  await expect(dashboard.keyRow("Old")).toBeHidden();
  await apiKeys.rotate("Web checkout", "1 hour");
  await apiKeys.openCheck();
  const field = check.getByRole("textbox", { name: "Paste a key" });
  await field.fill(revoked);
  await expect(check.getByRole("listitem")).toContainText("Archived");
  await field.fill(before);
  await expect(check.getByRole("listitem")).toContainText(/This is its old secret, which works until \w+ \d+, \d\d:\d\d UTC\./);
});

/** A key's text with its checksum: CRC-32 as a base62 number in six characters. */
function withChecksum(text: string): string {
  let crc = 0xffffffff;
  for (const byte of new TextEncoder().encode(text)) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  let rest = (crc ^ 0xffffffff) >>> 0;
  const letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  let sum = "";
  for (let place = 0; place < 6; place++, rest = Math.floor(rest / 62)) sum = letters[rest % 62] + sum;
  return text + sum;
}
