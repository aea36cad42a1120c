// A page, through the packaged extension in Chromium, dials go-libp2p and js-libp2p.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { launchChromium } from "../e2e/support/chromium.mjs";
import { call } from "../e2e/support/page.mjs";
import { allowed, manyEchoes } from "../e2e/support/scenarios.mjs";
import { startSite } from "../e2e/support/site.mjs";
import { STREAMS } from "./support/expect.mjs";
import { listen } from "./support/peers.mjs";

/** The page API's names of the transports. */
const NAMES = { "webrtc-direct": "webrtc-direct", webtransport: "webtransport", ws: "websocket" };

/** Dials each transport of a remote, pings and echoes. */
function suite(implementation, transports, browserOptions) {
  let chromium;
  before(async () => {
    chromium = await launchChromium(browserOptions);
  });
  after(() => chromium?.close());

  for (const transport of transports) {
    test(`over ${transport}: ping, and ${STREAMS} echo streams one after another`, async () => {
      // Another peer each time, so that no open connection is used instead, and another site, so that there is no
      // grant yet.
      const remote = await listen(implementation);
      const site = await startSite();
      try {
        const page = await allowed(chromium, site);
        const { connection } = await call(page, "connections.dial", { addresses: [remote.on(transport)] });
        assert.equal(connection.peerId, remote.peer);
        assert.equal(connection.transport, NAMES[transport]);
        const { rttMs } = await call(page, "peers.ping", { peer: remote.peer });
        assert.ok(rttMs > 0 && rttMs < 5_000, `${rttMs} ms`);
        await manyEchoes(page, remote.peer, STREAMS, 1);
        await manyEchoes(page, remote.peer, STREAMS, 20);
        const { connections } = await call(page, "connections.list");
        assert.ok(connections.some(({ id }) => id === connection.id), "it is still the same connection");
        await page.close();
      } finally {
        await site.close();
        await remote.close();
      }
    });
  }
}

describe("Chromium to go-libp2p", () => suite("go", ["webrtc-direct", "webtransport", "ws"]));
describe("Chromium without editing of descriptions to go-libp2p", () =>
  suite("go", ["webrtc-direct"], { args: ["--force-fieldtrials=WebRTC-NoSdpMangleUfrag/Enabled/"] }));
// It has version 1 of webrtc-direct only, which the node tries 300 ms after version 2.
describe("Chromium to js-libp2p", () => suite("js", ["webrtc-direct", "ws"]));
