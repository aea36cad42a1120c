// `cargo xtask bench --page`, short: that all of it runs and measures something.
import assert from "node:assert/strict";
import { test } from "node:test";
import { measure } from "../../bench/page-run.mjs";

test("every figure of a page", async () => {
  const { rows } = await measure({ pairs: 1, bytes: 500_000, tabs: 3, say: () => undefined });
  assert.equal(rows.length, 8);
  for (const { what, ours, theirs, ratios, kept } of rows) {
    assert.ok(ours > 0 && theirs > 0, `${what}: ${ours} and ${theirs}`);
    assert.ok(ratios.length === 1 && Number.isFinite(ratios[0]), what);
    // What is the browser's own has no goal.
    if (kept) assert.notEqual(kept(1e9), kept(-1e9), what);
  }
});
