// Two browsers that cannot reach each other, as behind two strict firewalls, meet over the user's TURN server.
import { enterNamespace } from "../e2e/support/namespace.mjs";
const host = enterNamespace();

import assert from "node:assert/strict";
import { test } from "node:test";
import { launchChromium } from "../e2e/support/chromium.mjs";
import { askServers } from "../e2e/support/ice.mjs";
import { connectionsTo, dialDirectly, onlyDirect, pair } from "../e2e/support/pair.mjs";
import { call } from "../e2e/support/page.mjs";
import { echoes } from "../e2e/support/scenarios.mjs";
import { startServer } from "../e2e/support/server.mjs";
import { startSite } from "../e2e/support/site.mjs";
import { until } from "../e2e/support/wait.mjs";
import { turn } from "./support/peers.mjs";
import { room } from "./support/rooms.mjs";

const MiB = 1024 * 1024;

test("two browsers that cannot reach each other have the circuit, and a direct path once there is a TURN server", async (t) => {
  const launched = async (n) => {
    const { executable, close } = await room(n);
    t.after(close);
    // The page is served outside.
    const args = [`--host-resolver-rules=MAP localhost ${host}, MAP * ~NOTFOUND, EXCLUDE ${host}`];
    const browser = await launchChromium({ executable, args });
    t.after(() => browser.close());
    return browser;
  };
  const [near, far] = [await launched(1), await launched(2)];
  const relay = await startServer({ host });
  t.after(() => relay.close());
  const server = await turn(host);
  t.after(() => server.close());
  const site = await startSite("localhost", host);
  t.after(() => site.close());
  const pages = await pair(near, far, site, relay);

  const { connection } = await call(pages.far, "connections.dial", { addresses: pages.addresses, timeoutMs: 60_000 });
  assert.equal(connection.path, "relayed");
  await call(pages.far, "connections.release", { peer: pages.peer });
  await until("the circuit to end", async () => (await connectionsTo(pages.far, pages.peer)).length === 0, 60_000);
  assert.equal(server.allocations(), 0, "asked although nobody chose it");

  // One of the two is enough. TCP: what lets no UDP out often lets that.
  await askServers(far, [server.server]);
  await dialDirectly(pages.far, pages.peer, pages.addresses);
  await onlyDirect(pages.far, pages.peer);
  assert.ok(server.allocations() > 0);
  await echoes(pages.far, pages.peer, [1, 4 * MiB]);
  await until("all of it to have gone that way", () => server.relayed() >= 8 * MiB);

  // A wrong password is as good as no server.
  await call(pages.far, "connections.release", { peer: pages.peer });
  await until("the connection to end", async () => (await connectionsTo(pages.far, pages.peer)).length === 0, 60_000);
  const allocations = server.allocations();
  await askServers(far, [`${server.server}-not`]);
  const { connection: again } = await call(pages.far, "connections.dial", { addresses: pages.addresses, timeoutMs: 60_000 });
  assert.equal(again.path, "relayed");
  assert.equal(server.allocations(), allocations);
});
