// A walk past attributes of keys, the filters by them, and disabled keys.
import { expect } from "@playwright/test";
import { ApiKeys } from "./api-keys.ts";
import type { Dashboard } from "./dashboard.ts";
import { InferenceKeys } from "./inference-keys.ts";
import type { Stop } from "./screenshots.ts";

const LONG_TAG = "a tag that is exactly as long as a tag can ever be, 64 character";
const LONG_ID = `auth0|${"5f7c8ec7c33c6c004bbafe82".repeat(10)}`;

/** Begins on the page of an application whose project has no key. */
export async function attributeScreenshots(dashboard: Dashboard, stop: Stop): Promise<void> {
  const keys = new ApiKeys(dashboard);
  const inference = new InferenceKeys(dashboard);
  const tags = [LONG_TAG, "beta", "eu", "gold"];
  const metadata = { plan: "pro", seats: 42, address: { lines: ["1 Main Street", "Springfield"], ["k".repeat(120)]: null } };
  await keys.createElsewhere({ name: "Web checkout", external_id: LONG_ID, tags, scopes: ["orders:read", "billing:*"], metadata });
  await inference.createElsewhere({ name: "Support assistant", external_id: "cust_42", tags, metadata, disabled: true });
  await keys.open();
  await form(keys, stop);
  await list(keys, stop);
  await disabling(keys, stop);
  await oneKey(inference, stop);
}

async function form(keys: ApiKeys, stop: Stop): Promise<void> {
  const { dashboard } = keys;
  await dashboard.openAction("Web checkout", "Edit");
  const edit = keys.editDialog("Web checkout");
  await edit.metadata.fill("{ plan: pro }");
  await edit.words("Tags").fill("x".repeat(64));
  await edit.submit.click();
  await expect(edit.root.getByText(/^This isn’t JSON/)).toBeVisible();
  await edit.externalId.scrollIntoViewIfNeeded();
  await stop("attributes-refused");
  await edit.cancel.click();
  await expect(edit.root).toBeHidden();
}

async function list(keys: ApiKeys, stop: Stop): Promise<void> {
  const { dashboard, page } = keys;
  await page.getByRole("button", { name: /^Protect a server without code/ }).click();
  await stop("attributes-list");
  await keys.filterBy("External ID", "two words");
  await expect(page.getByText("Use 1 to 255 visible ASCII characters, no spaces.")).toBeVisible();
  await keys.filterBy("External ID", LONG_ID);
  await keys.filterBy("Tag", "beta");
  await expect(page.getByRole("button", { name: "Remove the filter by tag beta" })).toBeVisible();
  await expect(dashboard.keyRow("Web checkout")).toBeVisible();
  await stop("attributes-filtered");
  await page.getByRole("button", { name: "Attributes of Web checkout" }).click();
  await expect(keys.detailsDialog("Web checkout").getByRole("group", { name: "Metadata as JSON" })).toBeVisible();
  await stop("attributes-details");
  await page.keyboard.press("Escape");
}

async function disabling(keys: ApiKeys, stop: Stop): Promise<void> {
  const { dashboard } = keys;
  await dashboard.openAction("Web checkout", "Disable");
  await expect(dashboard.disableDialog("Web checkout")).toBeVisible();
  await stop("disable");
  await dashboard.disableDialog("Web checkout").getByRole("button", { name: "Disable key" }).click();
  await expect(dashboard.keyRow("Web checkout")).toContainText("Disabled");
  await stop("disabled");
}

async function oneKey(keys: InferenceKeys, stop: Stop): Promise<void> {
  await keys.open();
  await keys.openKey("Support assistant");
  await expect(keys.page.getByText("This key is disabled.")).toBeVisible();
  await stop("disabled-inference-key");
  await keys.tryOut("sandbox", 1, "disabled_key");
  await keys.page.getByRole("region", { name: "Attributes" }).scrollIntoViewIfNeeded();
  await stop("attributes-inference-key");
}
