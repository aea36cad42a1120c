// What a dial's result must be.
import assert from "node:assert/strict";

/**
 * The stall to be excluded: a stream whose end is never acknowledged waits 10 s at js-libp2p. Far below that, and far
 * above what a busy machine needs for one small stream.
 */
const STALL_MS = 5_000;

export const STREAMS = 200;

/** Everything asked for was done, and no stream stood still. */
export function intact(result, { pings = 3, sequential = 0, concurrent = 0 }) {
  const shown = JSON.stringify(result);
  assert.equal(result.ok, true, shown);
  assert.equal(result.pingMs.length, pings, shown);
  assert.equal(result.sequential.intact, sequential, shown);
  assert.equal(result.concurrent.intact, concurrent, shown);
  assert.ok(result.sequential.maxMs < STALL_MS, `a stream stood still: ${shown}`);
}
