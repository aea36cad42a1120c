// Our WebRTC transport in a real browser, against real listeners: dial, ping, identify both ways, and many streams.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { listen, server } from "./support/peers.mjs";
import { openProbe } from "./support/probe.mjs";

/** What any listener has to stand. */
function suite(start, probeOptions) {
  let remote;
  let probe;
  before(async () => {
    remote = await start();
    probe = await openProbe(probeOptions);
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
      ({ pings, identified, asked }) => pings.length >= 3 && identified.length && asked,
    );
    assert.deepEqual(seen.pingFailures, []);
  });

  for (const [name, atOnce] of [
    ["one after another", 1],
    ["all at once", 200],
  ]) {
    test(`200 echo streams, ${name}`, async () => {
      const report = await probe.echo(remote.peer, 200, atOnce, 40_000);
      assert.deepEqual(report.errors, []);
      assert.equal(report.intact, 200);
    });
  }

  test("a large echo", async () => {
    const report = await probe.echo(remote.peer, 1, 1, 8 * 1024 * 1024);
    assert.deepEqual(report.errors, []);
  });

  test("one connection carried it all, and nothing was thrown", async () => {
    const { connections, closed } = await probe.seen();
    assert.equal(connections, 1);
    assert.deepEqual(closed, []);
    assert.deepEqual(probe.errors(), []);
  });

  test("a remote that ends is noticed, with its cause", async () => {
    await remote.close();
    const { closed } = await probe.seenUntil("the end", (seen) => seen.closed.length > 0, 60_000);
    assert.match(closed[0], /connection lost/);
    assert.deepEqual(probe.errors(), []);
  });
}

const unmunged = { args: ["--force-fieldtrials=WebRTC-NoSdpMangleUfrag/Enabled/"] };

describe("Chromium to go-libp2p", () => suite(() => listen("go")));
describe("Chromium without editing of descriptions to go-libp2p", () => suite(() => listen("go"), unmunged));
describe("Chromium to our server", () => suite(server));
describe("Chromium without editing of descriptions to our server", () => suite(server, unmunged));
