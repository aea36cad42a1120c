// Every method from every kind of origin and embedding, in both browsers, beside a site that holds every permission: each is answered as
// the contract says, or meets silence. The table of docs/security.md is what came out; MOORING_WRITE=1 writes it.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { root } from "./support/binaries.mjs";
import { launchChromium } from "./support/chromium.mjs";
import { launchFirefox } from "./support/firefox.mjs";
import { kinds } from "./support/origins/kinds.mjs";
import { matrix } from "./support/origins/matrix.mjs";
import { put, table } from "./support/origins/table.mjs";

const byBrowser = {};

for (const [browser, launch] of [
  ["Chromium", launchChromium],
  ["Firefox", launchFirefox],
]) {
  test(`${kinds.length} kinds of origin and embedding, every method, in ${browser}`, async (t) => {
    byBrowser[browser] = await matrix(t, launch);
  });
}

test("the table in docs/security.md says what was seen", () => {
  assert.deepEqual(Object.keys(byBrowser), ["Chromium", "Firefox"], "both were seen");
  const file = path.join(root, "docs/security.md");
  const now = fs.readFileSync(file, "utf8");
  const next = put(now, table(byBrowser));
  if (process.env.MOORING_WRITE === "1") fs.writeFileSync(file, next);
  else assert.equal(now, next);
});
