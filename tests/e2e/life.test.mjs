// The node's life in Chromium: it outlives tabs and the service worker, and its identity outlives the browser.
import assert from "node:assert/strict";
import { test } from "node:test";
import { launchChromium } from "./support/chromium.mjs";
import { available, call } from "./support/page.mjs";
import { allowed, dial, echoes } from "./support/scenarios.mjs";
import { discard, scratch } from "./support/scratch.mjs";
import { setUp } from "./support/set-up.mjs";
import { startSite } from "./support/site.mjs";

test("all tabs close, another opens a minute later, after the service worker died: one connection, never closed", async (t) => {
  // DevTools would keep the worker alive.
  const { site, server, chromium } = await setUp(t, { attachWorker: false });
  const page = await allowed(chromium, site);
  const connection = await dial(page, server);
  await page.close();

  // The minute is what is tested; the worker ends after 30 s without an event.
  await new Promise((done) => setTimeout(done, 60_000));

  const later = await chromium.open(site.url());
  await available(later);
  const { connections } = await call(later, "connections.list");
  assert.deepEqual(
    connections.map(({ id, openedAt }) => [id, openedAt]),
    [[connection.id, connection.openedAt]],
  );
  await call(later, "peers.ping", { peer: server.peer });
  await echoes(later, server.peer, [10_000]);
  assert.deepEqual([server.opened(), server.closed()], [1, 0]);
});

test("the service worker is stopped: requests, connection and prompts go on", async (t) => {
  const { site, server, chromium } = await setUp(t);
  const page = await allowed(chromium, site, [{ name: "dial", privateNetwork: true }]);
  await dial(page, server);
  const stopped = await chromium.worker();
  await stopped.close();
  await call(page, "peers.ping", { peer: server.peer });
  assert.deepEqual([server.opened(), server.closed()], [1, 0]);

  // This wakes it again: the storage, the window and the badge are its.
  const own = await startSite();
  t.after(() => own.close());
  const other = await allowed(chromium, own, [{ name: "peers" }], { duration: "always" });
  assert.equal((await call(other, "connections.list")).connections.length, 1);
});

test("the browser restarts with its profile: same peer id, lasting grants stay, session grants go", async (t) => {
  const profile = scratch("profile");
  t.after(() => discard(profile));
  const lasting = await startSite();
  const passing = await startSite();
  t.after(() => Promise.all([lasting.close(), passing.close()]));

  let first;
  let chromium = await launchChromium({ profile });
  try {
    const page = await allowed(chromium, lasting, [{ name: "identity" }], { duration: "always" });
    first = await call(page, "identity.get");
    await allowed(chromium, passing, [{ name: "identity" }], { duration: "session" });
  } finally {
    await chromium.close();
  }

  chromium = await launchChromium({ profile });
  try {
    const page = await chromium.open(lasting.url());
    await available(page);
    assert.equal((await call(page, "identity.get")).peerId, first.peerId);
    const other = await chromium.open(passing.url());
    await available(other);
    assert.deepEqual(await call(other, "permissions.query"), { granted: [] });
  } finally {
    await chromium.close();
  }
});

test("with Chromium's NoSdpMangleUfrag trial forced on, it still connects", async (t) => {
  const { site, server, chromium } = await setUp(t, {
    args: ["--force-fieldtrials=WebRTC-NoSdpMangleUfrag/Enabled/"],
  });
  const page = await allowed(chromium, site);
  await dial(page, server);
  await call(page, "peers.ping", { peer: server.peer });
  await echoes(page, server.peer, [100_000]);
});
