// The browser ends without a word and comes back with its profile, and the server that introduced it is gone: it still finds its way, over
// servers that it met. In both browsers, in a network namespace (support/namespace.mjs says why), at an address that is global
// by its looks: others are not remembered.
import { GLOBAL, enterNamespace } from "./support/namespace.mjs";
enterNamespace();

import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { freshSite } from "./support/both.mjs";
import { launchChromium } from "./support/chromium.mjs";
import { launchFirefox } from "./support/firefox.mjs";
import { available, call, request } from "./support/page.mjs";
import { allowed, dial } from "./support/scenarios.mjs";
import { discard, scratch } from "./support/scratch.mjs";
import { startServer } from "./support/server.mjs";
import { until } from "./support/wait.mjs";

const CID = "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi";
const PERMISSIONS = [{ name: "peers" }, { name: "dial" }, { name: "routing" }];
/** It is written each 20 s at most. */
const WRITTEN = 45_000;

/** What the extension has stored, read from a page of its own. */
const stored = (page, key) =>
  page.evaluate(async (key) => {
    if (navigator.userAgent.includes("Firefox")) {
      const open = indexedDB.open("mooring", 1);
      await new Promise((done) => (open.onsuccess = done));
      const get = open.result.transaction("values").objectStore("values").get(key);
      await new Promise((done) => (get.onsuccess = done));
      open.result.close();
      return get.result;
    }
    return (await chrome.storage.local.get(key))[key];
  }, key);

async function server(t, introducer) {
  const started = await startServer({ host: GLOBAL, args: introducer ? ["--bootstrap", introducer.address] : [] });
  t.after(() => started.close());
  return started;
}

const met = (server, peer) => until("them to meet", () => server.log.some((line) => line.includes("connection opened") && line.includes(peer)));

async function kill(launched) {
  const process = launched.browser.process();
  const ended = once(process, "exit");
  process.kill("SIGKILL");
  await ended;
}

for (const [name, launch] of [["chromium", launchChromium], ["firefox", launchFirefox]]) {
  test(`${name}: killed and started again, the first lookup needs no bootstrap peer`, async (t) => {
    const profile = scratch(`${name}-profile`);
    t.after(() => discard(profile));
    const site = await freshSite(t);
    const introducer = await server(t);
    const second = await server(t, introducer);
    await met(introducer, second.peer);

    const first = await launch({ profile });
    let killed = false;
    t.after(() => killed || first.close());
    const page = await allowed(first, site, PERMISSIONS, { duration: "always" });
    await dial(page, introducer);
    // Nobody dials the second one but the node, for a lookup.
    await until("the second server to be met", async () => (await call(page, "dht.closestPeers", { key: CID })).peers.includes(second.peer));
    const own = await first.openOwn("popup.html");
    await until(
      "it to be stored",
      async () => [await stored(own, "peers.a"), await stored(own, "peers.b")].some((text) => text?.includes(second.peer)),
      WRITTEN,
    );
    await kill(first);
    killed = true;
    await introducer.close();

    // One that the browser has never heard of.
    const stranger = await server(t, second);
    await met(second, stranger.peer);
    const again = await launch({ profile });
    t.after(() => again.close());
    const back = await again.open(site.url());
    await available(back);
    const start = Date.now();
    const found = await call(back, "dht.findPeer", { peer: stranger.peer });
    t.diagnostic(`found after ${Date.now() - start} ms`);
    assert.ok(found.addresses.some((address) => stranger.address.startsWith(address)), JSON.stringify(found));

    const fresh = await launch();
    t.after(() => fresh.close());
    const lost = await allowed(fresh, site, PERMISSIONS);
    const { error } = await request(lost, "dht.findPeer", { peer: stranger.peer });
    assert.equal(error?.code, 5009, "without what was remembered there is nobody to ask");
  });
}
