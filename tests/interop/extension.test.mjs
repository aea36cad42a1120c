// A page, through the packaged extension in Chromium, dials go-libp2p and js-libp2p.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { launchChromium } from "../e2e/support/chromium.mjs";
import { call } from "../e2e/support/page.mjs";
import { until } from "../e2e/support/wait.mjs";
import { allowed, ECHO, manyEchoes } from "../e2e/support/scenarios.mjs";
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

describe("The end of a WebSocket", () => {
  const TAIL = "/mooring/tail/1.0.0";
  let chromium;
  before(async () => {
    chromium = await launchChromium();
  });
  after(() => chromium?.close());

  async function connected(t, implementation) {
    const remote = await listen(implementation);
    t.after(() => remote.close());
    const site = await startSite();
    t.after(() => site.close());
    const page = await allowed(chromium, site, [
      { name: "peers" },
      { name: "dial", privateNetwork: true },
      { name: "streams", protocols: [ECHO, TAIL] },
    ]);
    await call(page, "events.subscribe", { events: ["connection.closed"] });
    await call(page, "connections.dial", { addresses: [remote.on("ws")] });
    const closed = () =>
      page.evaluate(
        (peer) => window.node.notifications("connection.closed").some(({ connection }) => connection.peerId === peer),
        remote.peer,
      );
    return { remote, page, closed };
  }

  test("what was sent before the remote closed arrives, and the close is noticed", async (t) => {
    const { remote, page, closed } = await connected(t, "js");
    const { bytes, events } = await page.evaluate(
      async (peer, protocol) => {
        const { port, error } = await window.node.request("streams.open", { peer, protocols: [protocol] });
        if (error) throw new Error(JSON.stringify(error));
        let bytes = 0;
        const events = [];
        return new Promise((done) => {
          port.onmessage = ({ data }) => {
            if (data.type === "data") bytes += data.bytes.length;
            else if (data.type !== "credit") events.push(data.type);
            if (data.type === "closeWrite" || data.type === "closed") done({ bytes, events });
          };
          port.postMessage({ type: "credit", bytes: 1024 * 1024 });
        });
      },
      remote.peer,
      TAIL,
    );
    assert.deepEqual({ bytes, events }, { bytes: 256 * 1024, events: ["closeWrite"] });
    await until("the event of closing", closed, 5_000);
  });

  for (const implementation of ["go", "js"]) {
    test(`a ${implementation} peer that is killed is noticed, and its stream fails`, async (t) => {
      const { remote, page, closed } = await connected(t, implementation);
      await page.evaluate(async (peer, protocol) => {
        const { port } = await window.node.request("streams.open", { peer, protocols: [protocol] });
        window.ended = [];
        port.onmessage = ({ data }) => {
          if (data.type !== "credit") window.ended.push(data.type);
        };
      }, remote.peer, ECHO);
      // At rest: nothing that is under way may happen to find out.
      await new Promise((done) => setTimeout(done, 1_000));
      remote.kill();
      // Unanswered pings would take more than half a minute.
      await until("the event of closing", closed, 10_000);
      await until("the stream's end", () => page.evaluate(() => window.ended.includes("closed")), 10_000);
      assert.deepEqual(await page.evaluate(() => window.ended), ["reset", "closed"]);
    });
  }
});
