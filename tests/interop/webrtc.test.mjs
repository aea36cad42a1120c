// A browser with the packaged extension and js-libp2p in Node meet by `/webrtc` over our relay, and two browsers over go-libp2p's, in a network namespace: the
// machine's own network is not for tests, and nobody makes candidates of loopback.
import { GLOBAL, enterNamespace } from "../e2e/support/namespace.mjs";
const host = enterNamespace();

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launchChromium } from "../e2e/support/chromium.mjs";
import { dialDirectly, onlyDirect, pair, reachable, serveEcho } from "../e2e/support/pair.mjs";
import { call } from "../e2e/support/page.mjs";
import { allowed, echoes, manyEchoes } from "../e2e/support/scenarios.mjs";
import { startServer } from "../e2e/support/server.mjs";
import { startSite } from "../e2e/support/site.mjs";
import { intact } from "./support/expect.mjs";
import { dial, listen } from "./support/peers.mjs";

let browser;
let relay;

before(async () => {
  browser = await launchChromium();
  relay = await startServer({ host });
});

after(async () => {
  await browser?.close();
  await relay?.close();
});

/** A page of a site that was never asked before. */
async function freshPage(t) {
  const site = await startSite();
  t.after(() => site.close());
  return allowed(browser, site);
}

const tcp = () => relay.addresses.find((address) => /\/tcp\/\d+\/p2p\//.test(address));

test("the extension dials js-libp2p by /webrtc", async (t) => {
  const js = await listen("js", ["--relay", tcp()], 1);
  t.after(() => js.close());
  const page = await freshPage(t);
  // Through the relay's address that a browser can dial.
  const address = `${relay.address}/p2p-circuit/webrtc/p2p/${js.peer}`;
  const { ms, atOnce } = await dialDirectly(page, js.peer, [address]);
  assert.equal(atOnce, true);
  t.diagnostic(`dialed in ${ms} ms`);
  await echoes(page, js.peer, [1, 1024 * 1024]);
  await manyEchoes(page, js.peer, 100, 10);
  await onlyDirect(page, js.peer);
  await call(page, "connections.release", { peer: js.peer });
  await page.close();
});

test("js-libp2p dials the extension by /webrtc", async (t) => {
  const page = await freshPage(t);
  t.after(() => page.close());
  await serveEcho(page);
  const addresses = await reachable(page, relay);
  const { peerId } = await call(page, "identity.get");
  const result = await dial("js", addresses.find((address) => /\/tcp\/\d+\/p2p\//.test(address)), ["--sequential", "50", "--concurrent", "10"]);
  intact(result, { sequential: 50, concurrent: 10 });
  assert.equal(result.peer, peerId);
  assert.equal(result.direct, true);
  t.diagnostic(`dialed in ${Math.round(result.dialMs)} ms`);
});

test("two Chromiums meet over a go-libp2p relay", async (t) => {
  // It names only global addresses in a reservation, and without one there is none.
  const go = await listen("go", ["--relay", "--address", GLOBAL]);
  t.after(() => go.close());
  const other = await launchChromium();
  t.after(() => other.close());
  const site = await startSite();
  t.after(() => site.close());
  const pages = await pair(browser, other, site, { address: go.on("webrtc-direct"), peer: go.peer });
  const { ms } = await dialDirectly(pages.far, pages.peer, pages.addresses);
  t.diagnostic(`dialed in ${ms} ms`);
  await onlyDirect(pages.far, pages.peer);
  await go.close();
  await echoes(pages.far, pages.peer, [1024 * 1024]);
});
