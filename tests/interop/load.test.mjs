// The campaigns of what pages put on the extension, and of its host document, short: `cargo xtask soak flood`, `hosts` and `tabs` run them long.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { flood } from "../../bench/flood.mjs";
import { hosts } from "../../bench/hosts.mjs";
import { tabs } from "../../bench/tabs.mjs";

const campaigns = { flood, hosts, tabs };
const short = {
  flood: { count: 4_000, rate: 1 },
  hosts: { count: 4 },
  tabs: { count: 50, bytes: 100_000 },
};

for (const [name, size] of Object.entries(short)) {
  test(`${name}: ${campaigns[name].title(size)}`, async () => {
    const done = [];
    const options = { ...size, host: "127.0.0.1", say: () => undefined };
    await campaigns[name].run(options, { done, add: (run) => done.push(run) });
    // How long something takes says nothing beside other tests.
    for (const run of done) {
      if (run.p95) run.p95 = 0;
      if (name === "hosts") run.milliseconds = 0;
    }
    const { kept, lines } = campaigns[name].judge(done, options);
    assert.ok(kept, lines.join("\n"));
  });
}

describe("what is not kept is said", () => {
  const kept = (name, run, count) => campaigns[name].judge(run ? [run] : [], { count, bytes: 1 }).kept;

  test("a flood", () => {
    const answers = { wrongCount: 0, wrong: [], answered: 1, codes: {}, uncloneable: 0 };
    const fast = { posted: 5, answeredOnce: 5, more: 0, milliseconds: 1, codes: {} };
    const run = { answers, milliseconds: 1, unchanged: true, errors: [], fast, idleP95: 1, p95: 100, most: 200, requests: 9 };
    assert.ok(kept("flood", run, 1));
    assert.ok(!kept("flood", undefined, 1));
    assert.ok(!kept("flood", { ...run, answers: { ...answers, wrongCount: 1 } }, 1));
    assert.ok(!kept("flood", { ...run, unchanged: false }, 1));
    assert.ok(!kept("flood", { ...run, errors: ["a trap"] }, 1));
    assert.ok(!kept("flood", { ...run, fast: { ...fast, answeredOnce: 4 } }, 1));
    assert.ok(!kept("flood", { ...run, fast: { ...fast, more: 1 } }, 1));
    assert.ok(!kept("flood", { ...run, p95: 101 }, 1));
  });

  test("host documents", () => {
    const run = { round: 1, milliseconds: 2_999, most: 1, same: true };
    assert.ok(kept("hosts", run, 1));
    assert.ok(!kept("hosts", run, 2));
    assert.ok(!kept("hosts", { ...run, milliseconds: 3_000 }, 1));
    assert.ok(!kept("hosts", { ...run, most: 2 }, 1));
    assert.ok(!kept("hosts", { ...run, same: false }, 1));
  });

  test("streams of tabs", () => {
    const run = { open: 9, held: 1, left: { live: 0, open: 0 }, freed: { live: 1, open: 5_000 }, wrong: [], bytes: 1, milliseconds: 1 };
    assert.ok(kept("tabs", run, 9));
    assert.ok(!kept("tabs", undefined, 9));
    assert.ok(!kept("tabs", run, 10));
    assert.ok(!kept("tabs", { ...run, wrong: ["other bytes"] }, 9));
    assert.ok(!kept("tabs", { ...run, freed: { live: 1, open: 5_001 } }, 9));
    assert.ok(!kept("tabs", { ...run, left: { live: 0, open: 1 }, freed: { live: 1 } }, 9));
    assert.ok(!kept("tabs", { ...run, held: 0 }, 9));
  });
});
