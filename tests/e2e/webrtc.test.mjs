// Two browsers with the packaged extension that meet over our relay and then talk directly, in a network namespace: the
// machine's own network is not for tests, and browsers make no candidates of loopback.
import { enterNamespace } from "./support/namespace.mjs";
const host = enterNamespace();

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launchChromium } from "./support/chromium.mjs";
import { launchFirefox } from "./support/firefox.mjs";
import { dialDirectly, onlyDirect, pair } from "./support/pair.mjs";
import { call } from "./support/page.mjs";
import { echoes } from "./support/scenarios.mjs";
import { startServer } from "./support/server.mjs";
import { startSite } from "./support/site.mjs";
import { until } from "./support/wait.mjs";

const browsers = {};

before(async () => {
  const launching = { chromium: launchChromium(), chromium2: launchChromium(), firefox: launchFirefox(), firefox2: launchFirefox() };
  for (const [name, launched] of Object.entries(launching)) browsers[name] = await launched;
});

after(async () => {
  for (const launched of Object.values(browsers)) await launched.close();
});

for (const [near, far] of [
  ["chromium", "chromium2"],
  ["firefox", "chromium"],
  ["chromium", "firefox"],
  ["firefox", "firefox2"],
]) {
  test(`${far} meets ${near} over our relay, and they go on without it`, async (t) => {
    const relay = await startServer({ host, args: ["--metrics", "127.0.0.1:0"] });
    t.after(() => relay.close());
    const site = await startSite();
    t.after(() => site.close());
    const pages = await pair(browsers[near], browsers[far], site, relay);
    t.after(() => Promise.all([pages.near.close(), pages.far.close()]));
    const { ms, atOnce } = await dialDirectly(pages.far, pages.peer, pages.addresses);
    t.diagnostic(`direct after ${ms} ms${atOnce ? "" : ", at the second attempt"}`);
    if (![near, far].some((name) => name.startsWith("firefox"))) assert.equal(atOnce, true);
    await echoes(pages.far, pages.peer, [1, 1024 * 1024]);
    await onlyDirect(pages.far, pages.peer);
    const { peerId: farPeer } = await call(pages.far, "identity.get");
    await onlyDirect(pages.near, farPeer);
    const numbers = await until("the relay to see the circuit's end", async () => {
      const numbers = await relay.metrics();
      return numbers.mooring_relay_circuits === 0 && numbers;
    });
    const carried = numbers.mooring_relay_circuit_size_bytes_sum;
    t.diagnostic(`the relay carried ${carried} bytes on ${numbers.mooring_relay_circuit_size_bytes_count} circuit`);
    assert.ok(carried > 0 && carried < 64 * 1024, `${carried}`);

    await relay.close();
    await until("the relay to be missed", async () => {
      const { connections } = await call(pages.near, "connections.list");
      return connections.every(({ peerId }) => peerId !== relay.peer);
    }, 60_000);
    await echoes(pages.far, pages.peer, [8 * 1024 * 1024]);
    const left = (await call(pages.far, "connections.list")).connections.filter(({ peerId }) => peerId === pages.peer);
    assert.deepEqual(left.map(({ path, transport }) => [path, transport]), [["direct", "webrtc"]]);
    await call(pages.far, "connections.release", { peer: pages.peer });
  });
}
