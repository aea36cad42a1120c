// The benchmarks' own code, on little: that all of it runs, checks what it moved, and counts right.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { DIAL, figures, sha256, transfer } from "../../bench/figures.mjs";
import { goals } from "../../bench/goals.mjs";
import { lanes, paths } from "../../bench/lanes.mjs";
import { figuresTable, goalsTable, Samples } from "../../bench/report.mjs";
import { run } from "../../bench/run.mjs";
import { interval, median, quantile, ratios } from "../../bench/stats.mjs";

const little = { browser: "chrome", host: "127.0.0.1", pairs: 1, bytes: 200_000, streams: 20, say: () => undefined, log: () => undefined };

describe("figures out of samples", () => {
  test("medians and quantiles lie between neighbours", () => {
    assert.equal(median([3, 1, 2]), 2);
    assert.equal(median([4, 1, 2, 3]), 2.5);
    assert.equal(median([1, NaN, 3]), 2);
    assert.equal(quantile([0, 10], 0.95), 9.5);
    assert.ok(Number.isNaN(median([])));
  });

  test("the interval holds the median, is repeatable, and is nothing where nothing varies", () => {
    const samples = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
    const [low, high] = interval(samples);
    assert.ok(low > 1 && low < 8 && high > 8 && high < 15, `${low} to ${high}`);
    assert.deepEqual(interval(samples), [low, high]);
    assert.deepEqual(interval([5, 5, 5]), [5, 5]);
  });

  test("ratios are by pair, and a pair with a failure counts for nobody", () => {
    const ours = new Map([[0, 10], [1, 30], [2, 7]]);
    const theirs = new Map([[0, 5], [1, 10]]);
    const { n, median: middle } = ratios(ours, theirs);
    assert.equal(n, 2);
    assert.equal(middle, 2.5);
  });

  test("a goal that is missed is said to be", () => {
    const samples = new Samples();
    const [{ a, b }] = goals;
    for (const pair of [0, 1]) {
      samples.add("0 ms", a.id, a.part, a.lane, pair, 9);
      samples.add("0 ms", b.id, b.part, b.lane, pair, 10);
    }
    assert.match(goalsTable(samples, paths, goals), /0\.90 .*\| no /);
  });
});

test("a transfer of which other bytes arrive fails", async () => {
  const page = { call: async () => ({ milliseconds: 1, sha256Up: sha256(10), sha256Down: sha256(1) }) };
  await assert.rejects(transfer(page, { up: 10 }), /other bytes arrived/);
});

test("every figure of everybody, without delay", async () => {
  const steady = lanes.filter(({ kind }) => kind !== "upstream");
  const { samples, version } = await run({ ...little, lanes: steady, paths: [paths[0]], figures });
  assert.match(version, /\d+/);
  for (const { name } of steady) {
    for (const { id, titles } of [DIAL, ...figures]) {
      assert.deepEqual(samples.failures("0 ms", id, name), []);
      for (const part of Object.keys(titles)) {
        assert.ok(samples.of("0 ms", id, part, name).get(0) > 0, `${name}: ${id} ${part}`);
      }
    }
  }
  for (const { title } of goals) assert.ok(goalsTable(samples, paths, goals).includes(title), title);
  assert.ok(figuresTable(samples, paths, figures, lanes).includes("mooring > mooring"));
});

test("a path with delay is as slow as it says", async () => {
  const slow = paths.find(({ delay, loss }) => delay === 20 && !loss);
  const who = lanes.filter(({ name }) => ["mooring > mooring", "raw > pion"].includes(name));
  const { samples } = await run({ ...little, lanes: who, paths: [slow], figures: figures.filter(({ id }) => id === "rtt") });
  for (const { name } of who) {
    const [roundTrip] = samples.of(slow.name, "rtt", "value", name).values();
    assert.ok(roundTrip >= 20 && roundTrip < 500, `${name}: ${roundTrip} ms`);
  }
});
