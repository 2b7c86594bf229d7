// A walk past the import of a file, and what is shown of imported keys.
import { expect } from "@playwright/test";
import { ApiKeys } from "./api-keys.ts";
import type { Dashboard } from "./dashboard.ts";
import { foreignKeys, Imports, ndjson, plaintext } from "./imports.ts";
import type { Stop } from "./screenshots.ts";

/** Begins on the page of an application whose project has no key. */
export async function importScreenshots(dashboard: Dashboard, stop: Stop): Promise<void> {
  const keys = new ApiKeys(dashboard);
  const imports = new Imports(dashboard, dashboard.projectId);
  await imports.open();
  await expect(imports.section.getByRole("heading", { name: "No imported keys" })).toBeVisible();
  await imports.section.scrollIntoViewIfNeeded();
  await stop("imports-empty");
  await imports.importKeys.click();
  await expect(imports.file).toBeFocused();
  await stop("import");
  await imports.step("Check file").click();
  await expect(imports.dialog.getByText("Choose a file.")).toBeVisible();
  await stop("import-refused");
  const rows = plaintext(foreignKeys("Web checkout", "Nightly export"));
  const wrong = rows.map((row) => ({ ...row, created_at: "2999-01-01T00:00:00Z", kind: "service" }));
  await imports.choose("keys.ndjson", ndjson(wrong));
  await imports.step("Check file").click();
  await expect(imports.wrongRows).toBeVisible();
  await imports.wrongRows.scrollIntoViewIfNeeded();
  await stop("import-wrong-rows");
  await imports.choose("keys.ndjson", ndjson(rows));
  await imports.step("Check file").click();
  await expect(imports.step("Import 2 keys")).toBeVisible();
  await stop("import-checked");
  await imports.step("Import 2 keys").click();
  await expect(imports.step("Download report")).toBeVisible();
  await stop("import-report");
  await imports.step("Done").click();
  await expect(imports.shapes).toContainText("acme_");
  await imports.shapes.scrollIntoViewIfNeeded();
  await stop("imports");
  await keys.open();
  await expect(dashboard.keyRow("Web checkout")).toContainText("Imported");
  await stop("api-keys-imported");
}
