// Two browsers with the packaged extension that meet over our relay and then talk directly, in a network namespace: the
// machine's own network is not for tests, and browsers make no candidates of loopback.
import { enterNamespace } from "./support/namespace.mjs";
const host = enterNamespace();

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launchChromium } from "./support/chromium.mjs";
import { dialDirectly, onlyDirect, pair } from "./support/pair.mjs";
import { call } from "./support/page.mjs";
import { echoes } from "./support/scenarios.mjs";
import { startServer } from "./support/server.mjs";
import { startSite } from "./support/site.mjs";
import { until } from "./support/wait.mjs";

let near;
let far;

before(async () => {
  [near, far] = await Promise.all([launchChromium(), launchChromium()]);
});

after(async () => {
  await near?.close();
  await far?.close();
});

test("two Chromiums meet over our relay, and go on without it", async (t) => {
  const relay = await startServer({ host });
  t.after(() => relay.close());
  const site = await startSite();
  t.after(() => site.close());
  const pages = await pair(near, far, site, relay);
  const { ms } = await dialDirectly(pages.far, pages.addresses);
  t.diagnostic(`dialed in ${Math.round(ms)} ms`);
  await echoes(pages.far, pages.peer, [1, 1024 * 1024]);
  await onlyDirect(pages.far, pages.peer);
  const { peerId: farPeer } = await call(pages.far, "identity.get");
  await onlyDirect(pages.near, farPeer);

  await relay.close();
  await until("the relay to be missed", async () => {
    const { connections } = await call(pages.near, "connections.list");
    return connections.every(({ peerId }) => peerId !== relay.peer);
  }, 60_000);
  await echoes(pages.far, pages.peer, [8 * 1024 * 1024]);
  assert.equal((await call(pages.far, "connections.list")).connections.length, 1);
});
