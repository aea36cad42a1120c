// The endurance campaigns' own code, short: `cargo xtask soak` runs them long.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { campaigns } from "../../bench/campaigns.mjs";

const short = {
  transfers: { count: 2, bytes: 2_000_000 },
  streams: { count: 2_000, bytes: 1024 },
  dials: { count: 200, bytes: 1024 },
  "slow-reader": { count: 2, bytes: 24_000_000, rate: 8_000_000 },
};

/** Keeps the runs, and writes nothing. */
function memo() {
  const done = [];
  return { done, add: (run) => done.push(run) };
}

for (const [name, size] of Object.entries(short)) {
  test(`${name}: ${campaigns[name].title(size)}`, async () => {
    const options = { ...size, browser: "chrome", host: "127.0.0.1", remote: "mooring", say: () => undefined };
    const log = memo();
    await campaigns[name].run(options, log);
    const { kept, lines } = campaigns[name].judge(log.done, options);
    assert.ok(kept, lines.join("\n"));
  });
}

test("transfers that were made are not made again", async () => {
  const options = { count: 2, bytes: 1, browser: "chrome", remote: "mooring" };
  const log = { done: [{ milliseconds: 1 }, { milliseconds: 1 }], add: () => assert.fail("one was made") };
  await campaigns.transfers.run(options, log);
  assert.ok(campaigns.transfers.judge(log.done, options).kept);
});

describe("what is not kept is said", () => {
  const { judge } = campaigns.streams;
  const whole = { count: 1_000 };
  const at = (streams, pageKiB) => ({ streams, milliseconds: 1, pageKiB, remoteKiB: 1_000 });

  test("memory that does not come back", () => {
    assert.ok(judge([at(0, 1_000), at(1_000, 1_100)], whole).kept);
    assert.ok(!judge([at(0, 1_000), at(1_000, 1_101)], whole).kept);
  });
  test("an early end", () => assert.ok(!judge([at(0, 1_000), at(500, 1_000)], whole).kept));
  test("a transfer that failed", () => {
    const runs = [{ milliseconds: 1 }, { milliseconds: 1, failed: "reset" }];
    assert.ok(!campaigns.transfers.judge(runs, { count: 2, bytes: 1 }).kept);
  });
  test("a slow reader that cost much", () => {
    const run = { way: "up", milliseconds: 1, extraPageKiB: 0, extraRemoteKiB: 16 * 1024 + 1 };
    assert.ok(!campaigns["slow-reader"].judge([run], { count: 1 }).kept);
    assert.ok(campaigns["slow-reader"].judge([{ ...run, extraRemoteKiB: 0 }], { count: 1 }).kept);
  });
});
