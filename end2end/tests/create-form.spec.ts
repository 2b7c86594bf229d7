// The form “Create API key”: what it refuses, and that nothing is lost when it does.
import type { Dashboard } from "../support/dashboard.ts";
import { expect, test } from "../support/fixtures.ts";

async function expectRefused(application: Dashboard, message: string): Promise<void> {
  const { name, root } = application.createDialog;
  await expect(root.getByText(message)).toBeVisible();
  await expect(name).toHaveAttribute("aria-invalid", "true");
  await expect(name).toHaveAccessibleDescription(new RegExp(message.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")));
  await expect(name).toBeFocused();
}

test("a name has 1 to 64 characters", async ({ application }) => {
  await application.createKey.click();
  const { name, submit } = application.createDialog;
  for (const empty of ["", "   "]) {
    await name.fill(empty);
    await submit.click();
    await expectRefused(application, "Enter a name.");
  }
  await name.fill("x".repeat(65));
  await submit.click();
  await expectRefused(application, "Use at most 64 characters.");
  await name.fill("🗝️ é" + "x".repeat(60));
  await submit.click();
  await application.createdDialog.finish();
  await expect(application.keyRow("🗝️ é" + "x".repeat(60))).toBeVisible();
});

test("a name that an active key has is refused at the field", async ({ application, watch }) => {
  await application.create("Web checkout");
  watch.allowStatus(409, /^\/api\//);
  await application.createKey.click();
  await application.createDialog.fill("Web checkout", "Live");
  await application.createDialog.submit.click();
  await expectRefused(application, "This project already has a key named “Web checkout”.");
  await application.createDialog.name.fill("Web checkout 2");
  await application.createDialog.submit.click();
  await application.createdDialog.finish();
  await expect(application.keyRow("Web checkout 2")).toContainText("Active");
});

test("a revoked key's name can be used again", async ({ application }) => {
  await application.create("Web checkout");
  await application.revoke("Web checkout");
  await application.createAndReveal("Web checkout");
  await application.createdDialog.finish();
  await expect(application.keyRow("Web checkout")).toHaveCount(2);
});

test("the third active key is over the Free limit", async ({ application, page }) => {
  await application.create("One");
  await application.create("Two", "Test");
  await expect(page.getByText("2 of 2 keys")).toBeVisible();
  await application.createKey.click();
  await expect(application.createDialog.root.getByText("You’ve used 2 of 2 keys on Free.")).toBeVisible();
  await application.createDialog.cancel.click();
  await application.revoke("One");
  await application.create("Three");
});

test("a server that fails saves nothing and keeps what was typed", async ({ application, page, watch }) => {
  watch.allowStatus(500, /^\/api\//);
  await application.createKey.click();
  await application.createDialog.fill("Web checkout", "Test");
  const problem = { type: "about:blank", title: "Internal Server Error", status: 500, code: "internal", detail: "x" };
  await page.route(/\/api\/project-keys\/create/, (route) => route.fulfill({ status: 500, json: problem }));
  await application.createDialog.submit.click();
  const message = "Couldn’t create the key. Nothing was saved. Try again.";
  await expect(application.createDialog.root.getByText(message)).toBeVisible();
  await expect(application.createDialog.name).toHaveValue("Web checkout");
  await expect(application.createDialog.environment("Test")).toBeChecked();
  await page.unrouteAll();
  await application.createDialog.submit.click();
  expect(await application.createdDialog.secret()).toMatch(/^lk_test_/);
});

test("every field says what is wrong with it, and nothing is sent until all are right", async ({ application, page }) => {
  const { createDialog, createKey, createdDialog } = application;
  let sent = 0;
  page.on("request", (request) => (sent += /\/api\/project-keys\/create/.test(request.url()) ? 1 : 0));
  await createKey.click();
  await createDialog.expiry("Custom").click();
  await createDialog.advanced.click();
  await createDialog.rateLimit.fill("0");
  await createDialog.networks.fill("203.0.113.0/24\nexample.com");
  await createDialog.advanced.click();
  await createDialog.submit.click();
  const wrong = [
    [createDialog.name, "Enter a name."],
    [createDialog.lastDay, "Choose a date in the future."],
    [createDialog.rateLimit, "Enter a number from 1 to 1,000,000,000."],
    [createDialog.networks, "“example.com” isn’t a network. Use a network such as 203.0.113.0/24 or 2001:db8::/32."],
  ] as const;
  for (const [field, message] of wrong) {
    await expect(field).toHaveAttribute("aria-invalid", "true");
    await expect(field).toHaveAccessibleDescription(message);
  }
  await expect(createDialog.name).toBeFocused();
  await createDialog.name.fill("Partner sync");
  await createDialog.submit.click();
  await expect(createDialog.lastDay).toBeFocused();
  await createDialog.lastDay.fill("2020-01-01");
  await createDialog.submit.click();
  await expect(createDialog.lastDay).toHaveAccessibleDescription("Choose a date in the future.");
  await createDialog.lastDay.fill("2999-08-12");
  await expect(createDialog.root.getByText("Stops working on August 12, 2999 at 23:59 UTC.")).toBeVisible();
  await createDialog.rateLimit.fill("600");
  await createDialog.networks.fill("203.0.113.0/24\n198.51.100.7");
  expect(sent).toBe(0);
  await createDialog.submit.click();
  await createdDialog.finish();
  const row = application.keyRow("Partner sync");
  await expect(row).toContainText("600 rpm · 2 networks");
  await expect(row).toContainText("Aug 12, 2999");
});

test("what the server refuses stands at its field", async ({ application, page, watch }) => {
  watch.allowStatus(422, /^\/api\//);
  const problem = {
    type: "about:blank",
    title: "Unprocessable Content",
    status: 422,
    code: "invalid",
    detail: "rpm: Too many.",
    errors: [{ field: "rpm", message: "Too many." }],
  };
  await page.route(/\/api\/project-keys\/create/, (route) => route.fulfill({ status: 422, json: problem }));
  await application.createKey.click();
  await application.createDialog.fill("Web checkout", "Live");
  await application.createDialog.submit.click();
  await expect(application.createDialog.rateLimit).toHaveAccessibleDescription("Too many.");
  await expect(application.createDialog.rateLimit).toBeFocused();
});

test("a double click creates one key", async ({ application }) => {
  await application.createKey.click();
  await application.createDialog.fill("Web checkout", "Live");
  await application.createDialog.submit.dblclick();
  await application.createdDialog.finish();
  await expect(application.keyRow("Web checkout")).toHaveCount(1);
});

test("the name of a key is shown as text", async ({ application, page }) => {
  const hostile = `<script>document.title="owned"</script>`;
  await application.create(hostile);
  await expect(application.keyRow(hostile)).toBeVisible();
  await application.revokeButton(hostile).click();
  await expect(application.revokeDialog(hostile)).toBeVisible();
  expect(await page.title()).not.toBe("owned");
});
