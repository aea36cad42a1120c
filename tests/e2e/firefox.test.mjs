// A page, the packaged extension in Firefox, and a native server, in a network namespace (support/namespace.mjs says why).
import { enterNamespace, link } from "./support/namespace.mjs";
const host = enterNamespace();

import assert from "node:assert/strict";
import { test } from "node:test";
import { freshSite, inOneBrowser } from "./support/both.mjs";
import { carries } from "./support/bridge.mjs";
import { clientToServer } from "./support/client.mjs";
import { launchFirefox } from "./support/firefox.mjs";
import { available, call, request } from "./support/page.mjs";
import { allowed, dial, echoes, losesItsNetwork, manyEchoes } from "./support/scenarios.mjs";
import { discard, scratch } from "./support/scratch.mjs";
import { startSite } from "./support/site.mjs";
import { until } from "./support/wait.mjs";

let firefox;
let server;

inOneBrowser(launchFirefox, { host }, (shared) => {
  ({ browser: firefox, server } = shared);
});

test("streams echo what was sent, byte for byte", async (t) => {
  const page = await allowed(firefox, await freshSite(t));
  await dial(page, server);
  await echoes(page, server.peer, [1, 262_144, 1024 * 1024]);
  await manyEchoes(page, server.peer, 200, 20);
  await page.close();
});

test("streams go past the runtime Port", async (t) => {
  const open = async () => {
    const page = await allowed(firefox, await freshSite(t));
    await dial(page, server);
    return page;
  };
  const page = await carries(firefox, open, server, { past: true });
  await page.close();
});

test("the npm client connects, asks, dials, and echoes 6 MiB through a small window to a slow reader", async (t) => {
  const page = await clientToServer(firefox, await freshSite(t), server);
  await page.close();
});

test("all tabs close: the connection stays", async (t) => {
  const site = await freshSite(t);
  const page = await allowed(firefox, site);
  const connection = await dial(page, server);
  await page.close();
  const later = await firefox.open(site.url());
  await available(later);
  const { connections } = await call(later, "connections.list");
  assert.ok(connections.some(({ id }) => id === connection.id));
  await call(later, "peers.ping", { peer: server.peer });
  assert.equal(server.closed(), 0);
  await later.close();
});

test("the identity's store is one that the browser does not clear when the disk is full", async () => {
  const popup = await firefox.openOwn("popup.html");
  await until("the store to be persistent", () =>
    popup.evaluate(() => browser.runtime.getBackgroundPage().then(({ navigator }) => navigator.storage.persisted())),
  );
  await popup.close();
});

test("the identity outlives the browser", async (t) => {
  const profile = scratch("firefox-profile");
  t.after(() => discard(profile));
  const site = await freshSite(t);
  const seen = [];
  for (const duration of ["always", undefined]) {
    const launched = await launchFirefox({ profile });
    try {
      const page = duration
        ? await allowed(launched, site, [{ name: "identity" }], { duration })
        : await launched.open(site.url());
      await available(page);
      seen.push((await call(page, "identity.get")).peerId);
    } finally {
      await launched.close();
    }
  }
  assert.equal(seen[0], seen[1]);
});

test("pages on loopback are served by every name of it, other http pages meet silence", async (t) => {
  const six = await startSite("::1");
  const four = await freshSite(t);
  const elsewhere = await startSite(host);
  t.after(() => Promise.all([six.close(), elsewhere.close()]));
  for (const url of [six.url(), four.url(), four.url().replace("127.0.0.1", "localhost")]) {
    const page = await firefox.open(url);
    await available(page);
    assert.equal((await call(page, "node.hello")).version, 1, url);
    await page.close();
  }
  const silent = await firefox.open(elsewhere.url());
  await silent.evaluate(() => void window.node.request("node.hello"));
  // Somebody else's full round trip is time enough for an answer that is not to come.
  const other = await firefox.open(four.url());
  await available(other);
  await call(other, "node.status");
  assert.deepEqual(await silent.evaluate(() => window.node.messages), []);
  await silent.close();
  await other.close();
});

test("the background page is loaded anew: what it had gets 4900, the identity and the session's grants stay", async (t) => {
  const page = await allowed(firefox, await freshSite(t), [{ name: "identity" }]);
  const { peerId } = await call(page, "identity.get");
  const pending = request(page, "permissions.request", { permissions: [{ name: "peers" }] });
  await firefox.prompt();
  const popup = await firefox.openOwn("popup.html");
  const start = Date.now();
  await popup.evaluate(() => browser.runtime.getBackgroundPage().then((background) => background.location.reload()));
  assert.equal((await pending).error?.code, 4900);
  assert.equal((await call(page, "identity.get")).peerId, peerId);
  assert.ok(Date.now() - start < 3_000, `back after ${Date.now() - start} ms`);
  await until("the prompt of the node that went to close", async () => (await firefox.promptsOpen()).length === 0);
  await popup.close();
  await page.close();
});

test("a network that is lost shows within 2 s as offline, and online again when it is back", async (t) => {
  const page = await allowed(firefox, await freshSite(t), [{ name: "peers" }]);
  await losesItsNetwork(firefox, page, link);
  await page.close();
});
