// External ID, tags, scopes and metadata of keys: filled in, shown, filtered by, changed and cleared.
import { call, sendTrace } from "../support/api.ts";
import { expect, test } from "../support/fixtures.ts";
import { InferenceKeys } from "../support/inference-keys.ts";
import { tabTo } from "../support/keyboard.ts";

const ATTRIBUTES = {
  external_id: "cust_42",
  tags: ["beta", "eu west"],
  scopes: ["orders:read", "billing:*"],
  metadata: { plan: "pro" },
};

test("a key gets attributes by keyboard alone", async ({ apiKeys, page, latchkey }) => {
  const { createDialog, dashboard } = apiKeys;
  await apiKeys.createKey.focus();
  await page.keyboard.press("Enter");
  await expect(createDialog.name).toBeFocused();
  await page.keyboard.type("Web checkout");
  await expect(createDialog.externalId).toBeHidden();
  await expect(createDialog.attributes).toContainText("None.");
  await tabTo(page, createDialog.attributes);
  await page.keyboard.press("Enter");
  await expect(createDialog.attributes).toHaveAttribute("aria-expanded", "true");

  await tabTo(page, createDialog.externalId);
  await page.keyboard.type("cust_42");
  await tabTo(page, createDialog.words("Tags"));
  for (const tag of ["beta", "eu west", "mistake"]) {
    await page.keyboard.type(tag);
    await page.keyboard.press("Enter");
  }
  await expect(createDialog.chips("Tags")).toHaveText(["beta", "eu west", "mistake"]);
  await page.keyboard.press("Backspace");
  await expect(createDialog.chips("Tags")).toHaveText(["beta", "eu west"]);
  await tabTo(page, createDialog.words("Scopes"));
  // A space ends a scope, which has none; leaving the field ends the last one.
  await page.keyboard.type("orders:read billing:*");
  await tabTo(page, createDialog.metadata);
  await expect(createDialog.chips("Scopes")).toHaveText(["orders:read", "billing:*"]);
  await page.keyboard.type('{ "plan": pro }');
  await tabTo(page, createDialog.submit);
  await page.keyboard.press("Enter");
  await expect(createDialog.root.getByText(/^This isn’t JSON\. Look at line 1, character \d+\.$/)).toBeVisible();
  await expect(createDialog.metadata).toBeFocused();
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.type('{ "plan": "pro" }');
  await tabTo(page, createDialog.submit);
  await page.keyboard.press("Enter");

  const secret = await dashboard.createdDialog.secret();
  await dashboard.createdDialog.finish();
  const row = dashboard.keyRow("Web checkout");
  await expect(row.getByRole("link", { name: "Keys tagged beta" })).toBeVisible();
  await expect(row.getByRole("link", { name: "Keys with external ID cust_42" })).toBeVisible();
  const headers = { authorization: `Bearer ${await dashboard.token()}` };
  const verified = await call(`${latchkey.url}/v1/keys/verify`, "POST", headers, { key: secret });
  expect(verified.body).toMatchObject({ valid: true, ...ATTRIBUTES });
});

test("a tag or an external ID narrows the list and stands in the address", async ({ apiKeys, page }) => {
  const { dashboard } = apiKeys;
  await apiKeys.createElsewhere({ name: "Web checkout", external_id: "cust_42", tags: ["eu"] });
  await apiKeys.createElsewhere({ name: "Batch", environment: "test", tags: ["beta", "eu", "fast", "old"] });
  await apiKeys.open();
  await expect(dashboard.keyRow("Batch")).toContainText("+2");
  await expect(dashboard.keyRow("Batch")).toContainText("more tags: fast, old");

  await dashboard.keyRow("Batch").getByRole("link", { name: "Keys tagged beta" }).click();
  await expect(page).toHaveURL(/\/keys\?tag=beta$/);
  await expect(dashboard.keyRow("Web checkout")).toBeHidden();
  await expect(dashboard.keyRow("Batch")).toBeVisible();
  await page.reload();
  await expect(dashboard.keyRow("Batch")).toBeVisible();
  await expect(dashboard.keyRow("Web checkout")).toBeHidden();
  await page.getByRole("button", { name: "Remove the filter by tag beta" }).click();
  await expect(page).toHaveURL(/\/keys$/);
  await expect(dashboard.keyRow("Web checkout")).toBeVisible();

  await apiKeys.filterBy("External ID", "cust_42");
  await expect(page).toHaveURL(/\/keys\?external_id=cust_42$/);
  await expect(dashboard.keyRow("Batch")).toBeHidden();
  await apiKeys.filterBy("Tag", "beta");
  await expect(page).toHaveURL(/\/keys\?tag=beta&external_id=cust_42$/);
  await expect(page.getByRole("heading", { name: "No keys match these filters" })).toBeVisible();
  await page.getByRole("button", { name: "Clear filters" }).click();
  await expect(page).toHaveURL(/\/keys$/);
  await expect(dashboard.keyRow("Batch")).toBeVisible();

  await apiKeys.filterBy("External ID", "two words");
  await expect(page.getByText("Use 1 to 255 visible ASCII characters, no spaces.")).toBeVisible();
  await expect(page).toHaveURL(/\/keys$/);
});

test("attributes are changed and cleared, and only what differs is sent", async ({ apiKeys, page }) => {
  const { dashboard } = apiKeys;
  await apiKeys.createElsewhere({ name: "Web checkout", ...ATTRIBUTES });
  await apiKeys.open();
  const dialog = apiKeys.editDialog("Web checkout");
  const sent = async (change: () => Promise<void>) => {
    await dashboard.openAction("Web checkout", "Edit");
    await expect(dialog.attributes).toHaveAttribute("aria-expanded", "true");
    await change();
    const request = page.waitForRequest(/\/api\/keys\/change/);
    await dialog.submit.click();
    await expect(dialog.root).toBeHidden();
    return JSON.parse((await request).postData() ?? "null").patch;
  };
  const retagged = await sent(async () => {
    await dialog.root.getByRole("button", { name: "Remove beta" }).click();
    await expect(dialog.words("Tags")).toBeFocused();
    await dialog.words("Tags").fill("gold");
  });
  expect(retagged, "what was typed counts without Enter").toEqual({ tags: ["eu west", "gold"] });
  const row = dashboard.keyRow("Web checkout");
  await expect(row.getByRole("link", { name: "Keys tagged gold" })).toBeVisible();

  const cleared = await sent(async () => {
    await dialog.externalId.fill("");
    for (const word of ["eu west", "gold", "orders:read", "billing:*"]) {
      await dialog.root.getByRole("button", { name: `Remove ${word}`, exact: true }).click();
    }
    await dialog.metadata.fill("");
  });
  expect(cleared).toEqual({ external_id: null, tags: null, scopes: null, metadata: null });
  await expect(row).not.toContainText("cust_42");
  await expect(row.getByRole("button", { name: "Attributes of Web checkout" })).toBeHidden();
  await dashboard.openAction("Web checkout", "Edit");
  await expect(dialog.attributes).toHaveAttribute("aria-expanded", "false");
});

test("what is wrong with an attribute is said at its field", async ({ apiKeys }) => {
  const { createDialog } = apiKeys;
  await apiKeys.createKey.click();
  await createDialog.fill("Web checkout", "Live");
  await createDialog.attributes.click();
  const deep = `{"a": ${"[".repeat(8)}${"]".repeat(8)}}`;
  for (const [text, message] of [
    ["plan: pro", /^This isn’t JSON\./],
    ['["pro"]', /^Enter an object, such as/],
    [`{"a": "${"x".repeat(8_192)}"}`, /^Use at most 8 KiB of JSON\.$/],
    [deep, /^Nest objects and lists at most 8 levels deep\.$/],
  ] as const) {
    await createDialog.metadata.fill(text);
    await createDialog.submit.click();
    await expect(createDialog.root.getByText(message)).toBeVisible();
    await expect(createDialog.metadata).toHaveAttribute("aria-invalid", "true");
  }
  await createDialog.metadata.fill("");
  await createDialog.externalId.fill("none");
  await createDialog.words("Scopes").fill("orders read");
  await createDialog.words("Scopes").press("Enter");
  await expect(createDialog.root.getByText(/^Use 1 to 100 of the characters/)).toBeVisible();
  await expect(createDialog.words("Scopes")).toHaveValue("orders read");
  await createDialog.words("Scopes").fill("orders:read");
  await createDialog.submit.click();
  await expect(createDialog.root.getByText("Use another external ID than “none”.")).toBeVisible();
  await expect(createDialog.externalId).toBeFocused();
});

test("all attributes of a key are shown, its numbers as they were sent", async ({ apiKeys, page }) => {
  const { dashboard } = apiKeys;
  await apiKeys.createElsewhere({ name: "Web checkout", ...ATTRIBUTES });
  await apiKeys.open();
  await dashboard.openAction("Web checkout", "Edit");
  const edit = apiKeys.editDialog("Web checkout");
  await edit.metadata.fill('{"plan":"pro","seats":12345678901234567890,"more":[]}');
  await edit.submit.click();
  await expect(edit.root).toBeHidden();
  await page.getByRole("button", { name: "Attributes of Web checkout" }).click();
  const dialog = apiKeys.detailsDialog("Web checkout");
  for (const word of ["cust_42", ...ATTRIBUTES.tags, ...ATTRIBUTES.scopes]) await expect(dialog).toContainText(word);
  const json = dialog.getByRole("group", { name: "Metadata as JSON" });
  await expect(json).toHaveText('{\n  "plan": "pro",\n  "seats": 12345678901234567890,\n  "more": []\n}');
  await dialog.getByRole("button", { name: "Edit" }).click();
  await expect(dialog).toBeHidden();
  await expect(edit.name).toBeFocused();
});

test("an inference key has attributes on its page, and no scopes", async ({ application, page }) => {
  const keys = new InferenceKeys(application);
  await keys.createElsewhere({ name: "Support assistant", external_id: "cust_42", tags: ["beta"] });
  await keys.open();
  await keys.createKey.click();
  await keys.createDialog.attributes.click();
  await expect(keys.createDialog.words("Tags")).toBeVisible();
  await expect(keys.createDialog.words("Scopes")).toHaveCount(0);
  await page.keyboard.press("Escape");
  await application.keyRow("Support assistant").getByRole("link", { name: "Keys tagged beta" }).click();
  await expect(page).toHaveURL(/\/inference-keys\?tag=beta$/);
  await keys.openKey("Support assistant");
  const card = page.getByRole("region", { name: "Attributes" });
  await expect(card).toContainText("cust_42");
  await expect(card).toContainText("beta");
  await expect(card).not.toContainText("Scopes");
  await card.getByRole("button", { name: "Edit attributes" }).click();
  const edit = keys.editDialog("Support assistant");
  await edit.metadata.fill('{"plan":"pro"}');
  await edit.submit.click();
  await expect(card.getByRole("group", { name: "Metadata as JSON" })).toHaveText('{\n  "plan": "pro"\n}');
});

test("who may only look sees attributes and changes nothing", async ({ members, colleague, elsewhere }) => {
  const { dashboard, projectId } = members;
  const headers = { authorization: `Bearer ${await dashboard.token()}` };
  const body = { name: "Web checkout", ...ATTRIBUTES };
  expect((await call(`${dashboard.url}/v1/projects/${projectId}/keys`, "POST", headers, body)).status).toBe(201);
  await members.join(colleague, elsewhere, "Viewer");
  await elsewhere.page.goto(`/projects/${projectId}/keys`);
  await elsewhere.page.getByRole("button", { name: "Attributes of Web checkout" }).click();
  const dialog = elsewhere.page.getByRole("dialog", { name: "Attributes of “Web checkout”" });
  await expect(dialog).toContainText("billing:*");
  await expect(dialog.getByRole("button", { name: "Close" }).first()).toBeVisible();
  await expect(dialog.getByRole("button", { name: "Edit" })).toHaveCount(0);
  await elsewhere.page.keyboard.press("Escape");
  await expect(elsewhere.page.getByRole("button", { name: "Disable Web checkout" })).toHaveCount(0);
});

test("usage is narrowed to a tag and to an external ID", async ({ apiKeys, page, latchkey }) => {
  const { applicationId } = apiKeys;
  const checkout = await apiKeys.createElsewhere({ name: "Web checkout", external_id: "cust_42", tags: ["eu"] });
  const batch = await apiKeys.createElsewhere({ name: "Batch", tags: ["eu", "beta"] });
  for (const key of [checkout, batch, batch]) {
    expect((await sendTrace(latchkey.url, key, "/cart", 200, applicationId)).status).toBe(200);
  }
  await page.goto(`/projects/${apiKeys.dashboard.projectId}/usage`);
  const total = (requests: string) => expect(page.getByRole("region", { name: "Requests" }).getByText(requests, { exact: true }).first()).toBeVisible();
  await total("3");
  await apiKeys.filterBy("Tag", "beta");
  await expect(page).toHaveURL(/\/usage\?tag=beta$/);
  await total("2");
  await page.getByRole("button", { name: "Remove the filter by tag beta" }).click();
  await apiKeys.filterBy("External ID", "cust_42");
  await expect(page).toHaveURL(/\/usage\?external_id=cust_42$/);
  await total("1");
});

test("the page says how a proxy asks about keys", async ({ apiKeys, page, latchkey }) => {
  const part = page.getByRole("region", { name: "Protect a server" });
  await part.getByRole("button", { name: /^Protect a server without code/ }).click();
  const asked = `${latchkey.url}/v1/check/${apiKeys.dashboard.projectId}`;
  await part.getByRole("tab", { name: "nginx" }).click();
  await expect(part.getByRole("tabpanel")).toContainText(`proxy_pass ${asked};`);
  await part.getByRole("tab", { name: "Caddy" }).click();
  await expect(part.getByRole("tabpanel")).toContainText(`forward_auth ${latchkey.url} {`);
  await expect(part.getByRole("link", { name: "What each answer means" })).toHaveAttribute("href", "/docs");
});
