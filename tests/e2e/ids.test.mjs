// The ids of one WebRTC connection's channels: few, held back after use, and waited for when none is free.
import assert from "node:assert/strict";
import { test } from "node:test";
import { shareOne } from "./support/both.mjs";
import { launchChromium } from "./support/chromium.mjs";
import { allowed, dial, ECHO, manyEchoes } from "./support/scenarios.mjs";
import { startSite } from "./support/site.mjs";
import { until } from "./support/wait.mjs";

let chromium;
let server;

shareOne(launchChromium, {}, (shared) => {
  ({ browser: chromium, server } = shared);
});

/** Streams that the browser still has ids for, once it is told so; it has thousands, and other remotes leave it few. */
const LEFT = 20;
/** `MAX_RESTING_CHANNELS` of crates/webrtc, and some that are about to. */
const MOST_RESTING = 128 + 16;

test("a stream that waits for an id opens as soon as one is free", async (t) => {
  const site = await startSite();
  t.after(() => site.close());
  const host = await chromium.host();
  // Of an id that is used up, the browser says so by this exception.
  await host.evaluate(() => {
    const create = RTCPeerConnection.prototype.createDataChannel;
    window.ids = { taken: 0, most: Infinity, parked: 0 };
    RTCPeerConnection.prototype.createDataChannel = function (label, init) {
      if (init?.negotiated) {
        const channel = create.call(this, label, init);
        window.ids.parked += 1;
        return channel;
      }
      if (window.ids.taken >= window.ids.most) throw new DOMException("no id", "OperationError");
      const channel = create.call(this, label, init);
      window.ids.taken += 1;
      channel.addEventListener("close", () => (window.ids.taken -= 1));
      return channel;
    };
  });
  const page = await allowed(chromium, site);
  await dial(page, server);
  // Ended channels rest with their ids for a while, and are then closed together: none is left behind, and none is parked
  // where the remote leaves closing to us.
  const ids = () => host.evaluate(() => window.ids);
  const before = await ids();
  await manyEchoes(page, server.peer, 300, 1);
  assert.ok((await ids()).taken <= before.taken + MOST_RESTING);
  await until("the ids to be given back", async () => (await ids()).taken <= before.taken, 10_000);
  // But for the node's own few that end by a reset.
  assert.ok((await ids()).parked <= before.parked + 20);

  await host.evaluate((left) => (window.ids.most = window.ids.taken + left), LEFT);
  // More than are left: the last ones wait.
  await page.evaluate((peer, protocol, count) => {
    window.ports = [];
    window.refused = null;
    for (let index = 0; index < count; index += 1) {
      void window.node
        .request("streams.open", { peer, protocols: [protocol], timeoutMs: 120_000 })
        .then(({ error, port }) => (error ? (window.refused = error) : window.ports.push(port)));
    }
  }, server.peer, ECHO, LEFT + 10);
  const open = () => page.evaluate(() => window.ports.length);
  await until("the ids to be used up", () => host.evaluate(() => window.ids.taken === window.ids.most));
  await until("the streams that have one to open", async () => (await open()) >= LEFT - 1);
  let opened = await open();
  for (let round = 1; round <= 5; round += 1) {
    await page.evaluate((index) => window.ports[index].postMessage({ type: "reset", reason: "test" }), round);
    // Nothing else would wake what waits: pings come every 15 s.
    await until(`stream ${opened + 1} to open`, async () => (await open()) > opened, 5_000);
    opened = await open();
  }
  assert.equal(await page.evaluate(() => window.refused), null);
  await page.close();
});
