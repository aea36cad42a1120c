// A page, the packaged extension in Firefox, and a native server, in a network namespace (support/namespace.mjs says why).
import { enterNamespace } from "./support/namespace.mjs";
const host = enterNamespace();

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launchFirefox } from "./support/firefox.mjs";
import { available, call } from "./support/page.mjs";
import { allowed, denied, dial, echoes, manyEchoes, pageToServer } from "./support/scenarios.mjs";
import { discard, scratch } from "./support/scratch.mjs";
import { startServer } from "./support/server.mjs";
import { startSite } from "./support/site.mjs";

let firefox;
let server;

before(async () => {
  server = await startServer({ host });
  firefox = await launchFirefox();
});

after(async () => {
  await firefox?.close();
  await server?.close();
});

async function freshSite(t) {
  const site = await startSite();
  t.after(() => site.close());
  return site;
}

test("a page asks, the user allows, it dials, pings, and the popup shows its connection", async (t) => {
  const page = await pageToServer(firefox, await freshSite(t), server);
  await page.close();
});

test("the user denies: 4001, and 4100 after", async (t) => {
  const page = await denied(firefox, await freshSite(t), server);
  await page.close();
});

test("streams echo what was sent, byte for byte", async (t) => {
  const page = await allowed(firefox, await freshSite(t));
  await dial(page, server);
  await echoes(page, server.peer, [1, 262_144, 1024 * 1024]);
  await manyEchoes(page, server.peer, 200, 20);
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
