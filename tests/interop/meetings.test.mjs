// The campaigns of two browsers that meet, short: `cargo xtask soak meetings` and `rounds` run them long.
import { enterNamespace } from "../e2e/support/namespace.mjs";
const host = enterNamespace();

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { meetings } from "../../bench/meetings.mjs";

const short = {
  meetings: { count: 1, bytes: 3_000_000 },
  rounds: { count: 3, bytes: 1_000 },
};

for (const [name, size] of Object.entries(short)) {
  test(`${name}: ${meetings[name].title(size)}`, async () => {
    const done = [];
    const options = { ...size, host, say: () => undefined };
    await meetings[name].run(options, { done, add: (run) => done.push(run) });
    const { kept, lines } = meetings[name].judge(done, options);
    assert.ok(kept, lines.join("\n"));
  });
}

describe("what is not kept is said", () => {
  const kept = (name, runs, count) => meetings[name].judge(runs, { count, bytes: 1 }).kept;

  test("a relay that carried the transfer", () => {
    const run = { near: "a", far: "b", relay: "c", dialMs: 1, atOnce: true, milliseconds: 1, relayed: 65_535 };
    assert.ok(kept("meetings", [run], 1));
    assert.ok(!kept("meetings", [{ ...run, relayed: 65_536 }], 1));
    assert.ok(!kept("meetings", [{ ...run, failed: "reset" }], 1));
    assert.ok(!kept("meetings", [run], 2));
  });
  test("something left behind", () => {
    const at = (round, open) => ({ round, ms: 1, circuits: 0, reservations: 2, peerConnections: [1, open] });
    assert.ok(kept("rounds", [at(0, 1), at(1, 1)], 1));
    assert.ok(!kept("rounds", [at(0, 1), at(1, 2)], 1));
    assert.ok(!kept("rounds", [at(0, 1)], 1));
  });
});
