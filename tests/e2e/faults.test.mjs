// A few runs of each campaign of bench/faults.mjs, which `cargo xtask faults` makes hundreds of: what goes wrong, and what it costs.
import assert from "node:assert/strict";
import { test } from "node:test";
import { faults } from "../../bench/faults.mjs";

const COUNTS = { worker: 3, traps: 3, kills: 3, records: 12 };

for (const [name, campaign] of Object.entries(faults)) {
  const count = COUNTS[name];
  const options = { count, bytes: campaign.bytes, say: () => undefined };
  test(campaign.title(options), async (t) => {
    const done = [];
    await campaign.run(options, { done, add: (run) => done.push(run) });
    const { kept, lines } = campaign.judge(done, options);
    for (const line of lines) t.diagnostic(line);
    assert.ok(kept, lines.join("\n"));
  });
}
