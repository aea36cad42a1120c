// What the transport in a browser has to do with any listener.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { STREAMS } from "./expect.mjs";
import { openProbe } from "./probe.mjs";

const LARGEST = 40_000;
const ROUNDS = 50;
const LARGE = 8 * 1024 * 1024;

/**
 * @param {() => Promise<object>} start a listening peer
 * @param {object} [options] see openProbe
 */
export function suite(start, options) {
  let remote;
  let probe;
  before(async () => {
    remote = await start();
    probe = await openProbe(options);
  });
  after(async () => {
    await probe?.close();
    await remote?.close();
  });

  test("dials, pings, and both identify each other", async () => {
    const peer = await probe.dial(remote.on("webrtc-direct"));
    assert.equal(peer, remote.peer);
    const seen = await probe.seenUntil(
      "pings and identify",
      ({ pings, identified, asked }) => pings.length >= 5 && identified.length && asked,
    );
    assert.deepEqual(seen.pingFailures, []);
  });

  for (const [name, atOnce] of [
    ["one after another", 1],
    ["all at once", STREAMS],
  ]) {
    test(`${STREAMS} echo streams, ${name}`, async () => {
      const report = await probe.echo(remote.peer, STREAMS, atOnce, LARGEST);
      assert.deepEqual(report.errors, []);
      assert.equal(report.intact, STREAMS);
    });
  }

  test("a large echo", async () => {
    const report = await probe.echo(remote.peer, 1, 1, LARGE);
    assert.deepEqual(report.errors, []);
    assert.equal(report.bytes, LARGE);
  });

  // What is written waits for the end of the turn, to go together; nobody has to ask for it.
  test("a stream that is never flushed goes on", async () => {
    assert.equal(await probe.unflushed(remote.peer, ROUNDS), ROUNDS * "afewpieces".length);
  });

  test("one connection carried it all, and nothing was thrown", async () => {
    const { connections, closed } = await probe.seen();
    assert.equal(connections, 1);
    assert.deepEqual(closed, []);
    assert.equal(await probe.open(), 1);
    assert.deepEqual(probe.errors(), []);
  });

  test("a remote that ends is noticed, with its cause", async () => {
    await remote.close();
    // One that goes without a word is noticed when ICE gives up.
    const { closed } = await probe.seenUntil("the end", (seen) => seen.closed.length > 0, 60_000);
    assert.match(closed[0], /connection lost/);
    assert.equal(await probe.open(), 0);
    assert.deepEqual(probe.errors(), []);
  });
}
