// Moving in and out on the settings page of a project: a file is checked, imported and reported, keys keep
// working, and everything that is stored leaves again.
import { readFile } from "node:fs/promises";
import type { Download } from "@playwright/test";
import { ApiKeys, choose } from "../support/api-keys.ts";
import { AuditLog } from "../support/audit-log.ts";
import { expect, test } from "../support/fixtures.ts";
import { digests, foreignKeys, Imports, ndjson, plaintext } from "../support/imports.ts";
import { tabTo } from "../support/keyboard.ts";
import { problem } from "../support/problem.ts";

const linesOf = async (download: Download) => (await readFile(await download.path(), "utf8")).trim().split(/\r?\n/);

test("a file is checked, imported and reported, and its keys work", async ({ application, person, page }) => {
  const keys = new ApiKeys(application);
  const imports = new Imports(application, application.projectId);
  const foreign = foreignKeys("Web checkout", "Nightly export");
  await imports.open();
  await expect(imports.section.getByRole("heading", { name: "No imported keys" })).toBeVisible();
  await imports.importKeys.click();
  await imports.choose("keys.ndjson", ndjson(plaintext(foreign)));
  await imports.step("Check file").click();
  await expect(imports.dialog.getByText("2 keys can be imported. Nothing was changed yet.")).toBeVisible();
  for (const { secret } of foreign) expect(await imports.statusOf(secret), "a check changes nothing").toBe(401);
  await imports.step("Import 2 keys").click();
  await expect(imports.dialog.getByText(/^2 keys imported\./)).toBeVisible();
  const [report] = await Promise.all([page.waitForEvent("download"), imports.step("Download report").click()]);
  expect(report.suggestedFilename()).toMatch(/^import-report-\d{4}-\d\d-\d\d\.csv$/);
  const lines = await linesOf(report);
  expect(lines[0]).toBe("row,key_id");
  expect(lines.slice(1).map((line) => line.replace(/key_\w+$/, "key"))).toEqual(["1,key", "2,key"]);
  await imports.step("Done").click();
  await expect(imports.dialog).toBeHidden();
  await expect(imports.importKeys).toBeFocused();
  await expect(imports.shapes).toContainText("acme_");
  await expect(imports.shapes).toContainText("37 characters");
  await expect(imports.shapes).toContainText(person.name ?? person.login);

  for (const { secret } of foreign) expect(await imports.statusOf(secret)).toBe(200);
  await keys.open();
  for (const { name, hint } of foreign) {
    await expect(application.keyRow(name)).toContainText(hint);
    await expect(application.keyRow(name)).toContainText("Imported");
  }
  await application.openAction("Web checkout", "Rotate");
  await expect(keys.rotateDialog("Web checkout")).toContainText("Imported");
  await page.keyboard.press("Escape");
  await keys.rotate("Web checkout", "Stop now");
  await expect(application.keyRow("Web checkout"), "a rotated key is one of ours").not.toContainText("Imported");
  const log = new AuditLog(application);
  await log.open();
  await expect(log.event("2 keys imported")).toBeVisible();
});

test("wrong rows are listed with what to do, and nothing is imported", async ({ application, watch }) => {
  watch.allowStatus(422, /\/keys\/import\?/);
  const imports = new Imports(application, application.projectId);
  const [first, second, third] = plaintext(foreignKeys("First", "Second", "Third"));
  await imports.open();
  await imports.importKeys.click();
  const wrong = [first, { ...second, created_at: "2999-01-01T00:00:00Z" }, { ...third, kind: "service" }];
  await imports.choose("keys.ndjson", ndjson(wrong as object[]));
  await imports.step("Check file").click();
  await expect(imports.dialog.getByRole("alert")).toContainText("2 rows are wrong. Nothing was imported.");
  const rows = imports.wrongRows.getByRole("row");
  await expect(rows).toHaveCount(3);
  await expect(rows.nth(1)).toContainText("2");
  await expect(rows.nth(1)).toContainText("created_at");
  await expect(rows.nth(1)).toContainText("Choose a time in the past.");
  await expect(rows.nth(2)).toContainText("kind");
  await imports.choose("keys.csv", "name,stored,scheme\n");
  await expect(imports.wrongRows, "the errors were those of another file").toBeHidden();
  await imports.step("Check file").click();
  await expect(imports.dialog.getByRole("alert")).toContainText("The file can’t be imported.");
});

test("what was changed after a check is checked again", async ({ application, page, watch }) => {
  watch.allowStatus(422, /\/keys\/import\?.*preset=gitea/);
  const imports = new Imports(application, application.projectId);
  const [key] = foreignKeys("Web checkout");
  await imports.open();
  await imports.importKeys.click();
  await imports.step("Check file").click();
  await expect(imports.dialog.getByText("Choose a file.")).toBeVisible();
  await expect(imports.file).toBeFocused();
  await imports.choose("keys.csv", `name,stored,scheme\nWeb checkout,${key?.secret},plaintext\n`);
  await imports.step("Check file").click();
  await expect(imports.step("Import 1 key")).toBeVisible();
  await choose(imports.dialog, "Rows of", "Gitea");
  const request = page.waitForRequest(/\/keys\/import\?dry_run=true&preset=gitea$/);
  await imports.step("Check file").click();
  expect((await request).headers()).toMatchObject({ "content-type": "text/csv" });
  await expect(imports.wrongRows).toBeVisible();
  await imports.secret.fill("Schlüssel");
  await imports.step("Check file").click();
  await expect(imports.dialog.getByText(/^Enter at most 1,024 ASCII characters/)).toBeVisible();
});

test("a file that never arrives is told of, and tried again", async ({ application, page, watch }) => {
  watch.allowFailure(/\/keys\/import\?/);
  const imports = new Imports(application, application.projectId);
  await imports.open();
  await imports.importKeys.click();
  await imports.choose("keys.ndjson", ndjson(plaintext(foreignKeys("Web checkout"))));
  await page.route(/\/keys\/import\?/, (route) => route.abort("connectionreset"));
  await imports.step("Check file").click();
  await expect(imports.dialog.getByRole("alert")).toContainText("Couldn’t check the file.");
  await page.unrouteAll();
  await imports.step("Check file").click();
  await expect(imports.step("Import 1 key")).toBeVisible();
});

test("keys are imported by keyboard alone", async ({ application, page }) => {
  const imports = new Imports(application, application.projectId);
  await imports.open();
  await tabTo(page, imports.importKeys);
  await page.keyboard.press("Enter");
  await expect(imports.file).toBeFocused();
  await imports.choose("keys.ndjson", ndjson(plaintext(foreignKeys("Web checkout"))));
  await tabTo(page, imports.step("Check file"));
  await page.keyboard.press("Enter");
  await expect(imports.step("Import 1 key")).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(imports.step("Done")).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(imports.dialog).toBeHidden();
  await expect(imports.importKeys).toBeFocused();
});

test("an export has every key and says which were never used", async ({ application, page, watch }) => {
  const imports = new Imports(application, application.projectId);
  const foreign = foreignKeys("Web checkout", "Nightly export");
  await imports.open();
  await imports.registerShape();
  await imports.importElsewhere(digests(foreign));
  const [download] = await Promise.all([page.waitForEvent("download"), imports.exportKeys.click()]);
  expect(download.suggestedFilename()).toMatch(/^keys-\d{4}-\d\d-\d\d\.ndjson$/);
  const toast = page.getByRole("status").filter({ hasText: "Exported 2 keys. 2 still have the digest of another system" });
  await expect(toast).toBeVisible();
  const rows = (await linesOf(download)).map((line) => JSON.parse(line) as { name: string });
  expect(rows.map(({ name }) => name).sort()).toEqual(["Nightly export", "Web checkout"]);

  watch.allowStatus(500, /\/keys\/export$/);
  await page.route(/\/keys\/export$/, (route) => route.fulfill({ status: 500, json: problem }));
  await imports.exportKeys.click();
  const failure = page.getByRole("alert").filter({ hasText: "Couldn’t export the keys." });
  await expect(failure).toBeVisible();
  await page.unrouteAll();
  await Promise.all([page.waitForEvent("download"), failure.getByRole("button", { name: "Retry" }).click()]);
});

test("members see the key shapes and neither import nor export", async ({ members, colleague, elsewhere }) => {
  const own = new Imports(members.dashboard, members.projectId);
  await members.join(colleague, elsewhere, "Member");
  await own.registerShape();
  const theirs = new Imports(elsewhere, members.projectId);
  await theirs.open();
  await expect(theirs.shapes).toContainText("acme_");
  await expect(theirs.section.getByText("An owner or admin can import and export keys.")).toBeVisible();
  await expect(theirs.section.getByRole("button")).toHaveCount(0);
});

test("key shapes that can't be loaded are told of, and loaded again", async ({ application, page, watch }) => {
  watch.allowStatus(500, /\/key-shapes$/);
  const imports = new Imports(application, application.projectId);
  await page.route(/\/key-shapes$/, (route) => route.fulfill({ status: 500, json: problem }));
  await imports.open();
  await expect(imports.section.getByRole("heading", { name: "Couldn’t load the key shapes" })).toBeVisible();
  await page.unrouteAll();
  await imports.section.getByRole("button", { name: "Try again" }).click();
  await expect(imports.section.getByRole("heading", { name: "No imported keys" })).toBeVisible();
});

test("a project with all the shapes that it may have says so", async ({ application, page }) => {
  const shape = (number: number) => ({
    id: `ksh_01h455vb4pex5vsknk084sn0${String(number).padStart(2, "0")}`,
    prefix: `acme${number}_`,
    min_length: 24,
    max_length: 60,
    alphabet: "base64url",
    created_at: "2026-05-14T14:28:03.000Z",
    created_by: "usr_01h455vb4pex5vsknk084sn02q",
  });
  const list = { data: Array.from({ length: 32 }, (_, number) => shape(number)), next_cursor: null };
  await page.route(/\/key-shapes$/, (route) => route.fulfill({ json: list }));
  const imports = new Imports(application, application.projectId);
  await imports.open();
  await expect(imports.shapes.getByRole("row")).toHaveCount(33);
  await expect(imports.section.getByText("This is as many as a project may have: 32.")).toBeVisible();
  for (const width of [390, 1440]) {
    await page.setViewportSize({ width, height: 900 });
    await expect(imports.shapes).toBeVisible();
    expect(await page.evaluate(() => document.documentElement.scrollWidth), `at ${width}`).toBeLessThanOrEqual(width);
  }
});
