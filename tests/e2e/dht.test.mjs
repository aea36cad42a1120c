// Pages look up peers, providers and records over a few servers that know each other through one, in both browsers and in a
// network namespace (support/namespace.mjs says why).
import { enterNamespace } from "./support/namespace.mjs";
const host = enterNamespace();

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { freshSite } from "./support/both.mjs";
import { launchChromium } from "./support/chromium.mjs";
import { launchFirefox } from "./support/firefox.mjs";
import { call, request } from "./support/page.mjs";
import { allowed, dial } from "./support/scenarios.mjs";
import { startServer } from "./support/server.mjs";
import { until } from "./support/wait.mjs";

const CID = "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi";
const PERMISSIONS = [{ name: "identity" }, { name: "peers" }, { name: "dial", privateNetwork: true }, { name: "routing", write: true }];

const browsers = {};
const servers = [];

before(async () => {
  servers.push(await startServer({ host }));
  for (let more = 0; more < 4; more++) {
    servers.push(await startServer({ host, args: ["--bootstrap", servers[0].address] }));
  }
  await until("the servers to meet", () => servers[0].opened() >= 4);
  browsers.chromium = await launchChromium();
  browsers.firefox = await launchFirefox();
});

after(async () => {
  for (const launched of Object.values(browsers)) await launched.close();
  for (const server of servers) await server.close();
});

/** Bytes do not travel to a page under test unharmed, so they are made there. */
const put = (page, key, value) =>
  page.evaluate(
    async (key, value) => {
      const bytes = (text) => new TextEncoder().encode(text);
      return window.node.call("dht.put", { key: bytes(key), value: bytes(value) });
    },
    key,
    value,
  );

/** As `call`, and says how long it took. */
async function timed(t, page, method, params) {
  const { result, error, ms } = await request(page, method, params);
  t.diagnostic(`${method}: ${error ? error.code : "answered"} after ${Math.round(ms)} ms`);
  if (error) throw Object.assign(new Error(`${method}: ${error.code} ${error.message}`), error);
  return result;
}

const get = (page, key) =>
  page.evaluate(async (key) => {
    const { result, error } = await window.node.request("dht.get", { key: new TextEncoder().encode(key) });
    return error ? { code: error.code } : { value: new TextDecoder().decode(result.value), bytes: result.value instanceof Uint8Array };
  }, key);

/** Once the node has an address to give: that of a relay. */
async function provide(page) {
  await until("an address to give", async () => (await call(page, "identity.get")).addresses.length > 0);
  assert.deepEqual(await call(page, "dht.provide", { key: CID }), {});
}

for (const [near, far] of [["chromium", "firefox"], ["firefox", "chromium"]]) {
  test(`${near}: a page finds peers, and reads what it wrote`, async (t) => {
    const page = await allowed(browsers[near], await freshSite(t), PERMISSIONS);
    await dial(page, servers[0]);
    for (const server of servers.slice(1)) {
      const found = await timed(t, page, "dht.findPeer", { peer: server.peer });
      assert.equal(found.peer, server.peer);
      // As it can dial it.
      assert.ok(found.addresses.some((address) => server.address.startsWith(address)), JSON.stringify(found));
    }
    const stranger = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA";
    assert.equal((await request(page, "dht.findPeer", { peer: stranger })).error.code, 5004);
    const { peers } = await timed(t, page, "dht.closestPeers", { key: CID });
    assert.deepEqual(peers.toSorted(), servers.map(({ peer }) => peer).toSorted());

    const key = `greeting of ${near}`;
    assert.deepEqual(await get(page, key), { code: 5004 });
    assert.deepEqual(await put(page, key, "hello"), {});
    assert.deepEqual(await get(page, key), { value: "hello", bytes: true });
    assert.equal((await request(page, "dht.get", { key: "no CID" })).error.code, -32602);
    await page.close();
  });

  test(`${near} provides, and ${far} finds it over another server`, async (t) => {
    const provider = await allowed(browsers[near], await freshSite(t), PERMISSIONS);
    await dial(provider, servers[1]);
    await provide(provider);
    const { peerId } = await call(provider, "identity.get");
    const seeker = await allowed(browsers[far], await freshSite(t), PERMISSIONS);
    await dial(seeker, servers[2]);
    const { providers } = await call(seeker, "dht.findProviders", { key: CID });
    const found = providers.find(({ peer }) => peer === peerId);
    assert.ok(found, JSON.stringify(providers));
    assert.ok(found.addresses.some((address) => address.endsWith("/p2p-circuit")), JSON.stringify(found));
    assert.deepEqual(await call(provider, "dht.stopProviding", { key: CID }), {});
    await provider.close();
    await seeker.close();
  });

  test(`${near}: a site without the right to private networks is led to none`, async (t) => {
    // The node is connected to one server for somebody else; the others have private addresses.
    const other = await allowed(browsers[near], await freshSite(t), PERMISSIONS);
    await dial(other, servers[0]);
    const { peerId } = await call(other, "identity.get");
    const lone = await startServer({ host, args: ["--bootstrap", servers[0].address] });
    t.after(() => lone.close());
    await until("the new server to be known", () => servers[0].log.some((line) => line.includes("connection opened") && line.includes(lone.peer)));
    const page = await allowed(browsers[near], await freshSite(t), [{ name: "routing" }]);
    const found = await until("the new server to be told of", async () => {
      const { result } = await request(page, "dht.findPeer", { peer: lone.peer });
      return result;
    });
    assert.deepEqual(found, { peer: lone.peer, addresses: [] });
    await call(page, "dht.closestPeers", { key: CID });
    const met = () => lone.log.filter((line) => line.includes("connection opened") && line.includes(peerId)).length;
    assert.equal(met(), 0);
    // Who may is led there.
    const { peers } = await call(other, "dht.closestPeers", { key: CID });
    assert.ok(peers.includes(lone.peer));
    await until("the connection that counts", () => met() > 0);
    await page.close();
    await other.close();
  });
}

test("a page that loses the grant while it looks gets 4100", async (t) => {
  const page = await allowed(browsers.chromium, await freshSite(t), PERMISSIONS);
  await dial(page, servers[0]);
  const codes = await page.evaluate(async () => {
    const peer = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA";
    const looking = window.node.request("dht.findPeer", { peer });
    await window.node.call("permissions.revoke", { permissions: [{ name: "routing" }] });
    const during = await looking;
    const after = await window.node.request("dht.findPeer", { peer });
    return [during.error.code, after.error.code];
  });
  // It may have ended by itself first.
  assert.ok([4100, 5004].includes(codes[0]), `${codes}`);
  assert.equal(codes[1], 4100);
  await page.close();
});
