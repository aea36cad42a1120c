// What both browsers must do the same way.
import assert from "node:assert/strict";
import { available, call, heard, request } from "./page.mjs";
import { askAndAnswer } from "./prompt.mjs";
import { until } from "./wait.mjs";

export const ECHO = "/mooring/echo/1.0.0";

/** All that the scenarios need; local servers have addresses that are not global. */
export const PERMISSIONS = [
  { name: "identity" },
  { name: "peers" },
  { name: "dial", privateNetwork: true },
  { name: "streams", protocols: [ECHO] },
];

/** Opens a page and gets it what it asks for. */
export async function allowed(launched, site, permissions = PERMISSIONS, options) {
  const page = await launched.open(site.url());
  await available(page);
  const { result, error } = await askAndAnswer(launched, page, permissions, "allow", options);
  assert.equal(error, undefined, JSON.stringify(error));
  assert.equal(result.granted.length, permissions.length);
  return page;
}

/** Dials the server; the connection. */
export async function dial(page, server) {
  const { connection } = await call(page, "connections.dial", { addresses: [server.address] });
  assert.equal(connection.peerId, server.peer);
  assert.equal(connection.direction, "outbound");
  assert.equal(connection.path, "direct");
  assert.equal(connection.transport, "webrtc-direct");
  return connection;
}

/** A page asks, the user allows, it dials, pings, and the popup shows its connection. */
export async function pageToServer(launched, site, server) {
  const page = await allowed(launched, site);
  const connection = await dial(page, server);
  const { rttMs } = await call(page, "peers.ping", { peer: server.peer });
  assert.ok(rttMs > 0 && rttMs < 5_000, `${rttMs} ms`);
  assert.ok(Math.abs(connection.openedAt - Date.now()) < 60_000);

  const again = await dial(page, server);
  assert.equal(again.id, connection.id, "an open connection is reused");
  const { connections } = await call(page, "connections.list");
  assert.deepEqual(connections.map(({ id }) => id), [connection.id]);
  const { peers } = await call(page, "peers.list");
  assert.equal(peers.find(({ peerId }) => peerId === server.peer)?.connected, true);

  const { peerId } = await call(page, "identity.get");
  const popup = await launched.openOwn("popup.html");
  await until("the popup to show the connection", () =>
    popup.evaluate((peer) => Boolean(document.querySelector(`[data-testid="connection"][data-peer="${peer}"]`)), server.peer),
  );
  const shown = await popup.evaluate(() => ({
    peerId: document.querySelector('[data-testid="peer-id"]').textContent,
    all: document.body.textContent,
  }));
  assert.ok(shown.peerId.includes(peerId) || shown.peerId.includes(peerId.slice(-6)), shown.peerId);
  assert.ok(shown.all.includes(site.origin), "the popup says who asked for it");
  await popup.close();
  return page;
}

/** The user denies: 4001, and 4100 after, and no connection. */
export async function denied(launched, site, server) {
  const page = await launched.open(site.url());
  await available(page);
  const { error } = await askAndAnswer(launched, page, PERMISSIONS, "deny");
  assert.equal(error?.code, 4001);
  for (const [method, params] of [
    ["connections.dial", { addresses: [server.address] }],
    ["peers.ping", { peer: server.peer }],
    ["identity.get", {}],
    ["streams.open", { peer: server.peer, protocols: [ECHO] }],
  ]) {
    assert.equal((await request(page, method, params)).error?.code, 4100, method);
  }
  return page;
}

/** Echoes over streams, whole and in order, each ended from both sides. */
export async function echoes(page, peer, sizes) {
  for (const size of sizes) {
    const { protocol, sent, received, events } = await page.evaluate(
      (peer, size) => window.node.echo(peer, size),
      peer,
      size,
    );
    assert.equal(protocol, ECHO);
    assert.equal(received, sent, `${size} bytes`);
    assert.deepEqual(events, ["closeWrite", "closed"], `${size} bytes`);
  }
}

/** Many streams at once, each opened, echoed and closed. */
export async function manyEchoes(page, peer, count, atOnce) {
  const wrong = await page.evaluate(
    async (peer, count, atOnce) => {
      const wrong = [];
      let next = 0;
      const work = async () => {
        while (next < count) {
          const index = next++;
          try {
            const { sent, received, events } = await window.node.echo(peer, 1 + ((index * 7919) % 40_000));
            if (sent !== received || events.join() !== "closeWrite,closed") wrong.push([index, events]);
          } catch (error) {
            wrong.push([index, String(error)]);
          }
        }
      };
      await Promise.all(Array.from({ length: atOnce }, work));
      return wrong;
    },
    peer,
    count,
    atOnce,
  );
  assert.deepEqual(wrong, []);
}

/** The machine's network goes and comes back, twice: pages and popup say so within 2 s. `link(up)` does it. */
export async function losesItsNetwork(launched, page, link) {
  await call(page, "events.subscribe", { events: ["node.stateChanged"] });
  const popup = await launched.openOwn("popup.html");
  const shows = (word) =>
    until(`the popup to say ${word}`, () =>
      popup.evaluate((word) => document.querySelector('[data-testid="status"]').textContent.toLowerCase().includes(word), word),
    );
  await shows("online");
  for (const state of ["offline", "online", "offline", "online"]) {
    const before = (await heard(page, "node.stateChanged")).length;
    const start = Date.now();
    link(state === "online");
    const changed = await until(`the event ${state}`, async () => (await heard(page, "node.stateChanged"))[before]);
    assert.equal(changed.state, state);
    assert.equal((await call(page, "node.status")).state, state);
    await shows(state);
    const ms = Date.now() - start;
    assert.ok(ms < 2_000, `${state} after ${ms} ms`);
  }
  await popup.close();
}
