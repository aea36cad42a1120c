// Our WebRTC transport in Chromium, against real listeners.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { STREAMS } from "./support/expect.mjs";
import { listen, server } from "./support/peers.mjs";
import { openProbe } from "./support/probe.mjs";
import { suite } from "./support/suite.mjs";

// What Chromium is about to do by itself: version 1 of webrtc-direct fails, version 2 does not need it.
const unedited = { args: ["--force-fieldtrials=WebRTC-NoSdpMangleUfrag/Enabled/"] };

describe("Chromium to go-libp2p", () => suite(() => listen("go")));
describe("Chromium that refuses edited descriptions, to go-libp2p", () => suite(() => listen("go"), unedited));
describe("Chromium to our server", () => suite(server));
describe("Chromium that refuses edited descriptions, to our server", () => suite(server, unedited));
describe("Chromium to js-libp2p, which knows version 1 only", () => suite(() => listen("js")));

describe("Chromium, and remotes that are not as they should be", () => {
  let remote;
  let probe;
  before(async () => {
    remote = await listen("go", ["--no-close"]);
    probe = await openProbe();
  });
  after(async () => {
    await probe?.close();
    await remote?.close();
  });

  const refused = (change, message) => async () => {
    const address = remote.on("webrtc-direct").replace(...change);
    await assert.rejects(probe.dial(address), message);
    assert.equal(await probe.open(), 0);
  };
  const stranger = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";
  const otherHash = "uEiAwtr7G7d4WcW9Lu9Oa_LhAE60VB5z4sA4HQ1n7vr4tmQ";
  test("another peer than the address says", refused([/\/p2p\/.*/, `/p2p/${stranger}`], /expected peer/));
  test("another certificate", refused([/certhash\/[^/]*/, `certhash/${otherHash}`], /connection lost/));
  test("nobody there", refused([/udp\/\d+/, "udp/9"], /timed out: connecting/));
  test("a host name", refused([/ip4\/[^/]*/, "dns4/localhost"], /IP address only/));
  test("no certificate", refused([/\/certhash\/[^/]*/, ""], /no \/certhash/));

  test(`a remote that never lets go of its streams does not break ${STREAMS} of them`, async () => {
    await probe.dial(remote.on("webrtc-direct"));
    const report = await probe.echo(remote.peer, STREAMS, 1, 1000);
    assert.deepEqual(report.errors, []);
    assert.equal((await probe.seen()).connections, 1);
  });

  test("hanging up leaves no peer connection behind", async () => {
    await probe.disconnect(remote.peer);
    await probe.seenUntil("the end", ({ connections }) => connections === 0);
    assert.equal(await probe.open(), 0);
    assert.deepEqual(probe.errors(), []);
  });
});
