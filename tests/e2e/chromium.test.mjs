// A page, the packaged extension in Chromium, and a native server.
import assert from "node:assert/strict";
import { test } from "node:test";
import { freshSite, inOneBrowser } from "./support/both.mjs";
import { launchChromium } from "./support/chromium.mjs";
import { call, request } from "./support/page.mjs";
import { allowed, dial, echoes, ECHO, manyEchoes } from "./support/scenarios.mjs";
import { startServer } from "./support/server.mjs";
import { until } from "./support/wait.mjs";

let chromium;
let server;

inOneBrowser(launchChromium, {}, (shared) => {
  ({ browser: chromium, server } = shared);
});

test("streams echo what was sent, byte for byte, and end from both sides", async (t) => {
  const page = await allowed(chromium, await freshSite(t));
  await dial(page, server);
  await echoes(page, server.peer, [1, 16_384, 262_144, 4 * 1024 * 1024]);
  await page.close();
});

test("200 streams, opened, echoed and closed", async (t) => {
  const page = await allowed(chromium, await freshSite(t));
  await dial(page, server);
  await manyEchoes(page, server.peer, 200, 20);
  assert.equal(server.closed(), 0);
  await page.close();
});

test("a page that sends more than its credit has that stream reset, and no other", async (t) => {
  const page = await allowed(chromium, await freshSite(t));
  await dial(page, server);
  const events = await page.evaluate(
    async (peer, protocol) => {
      const { port } = await window.node.request("streams.open", { peer, protocols: [protocol] });
      const events = [];
      return new Promise((done) => {
        port.onmessage = ({ data }) => {
          if (data.type !== "credit") events.push(data.type + (data.reason ? `:${data.reason}` : ""));
          if (data.type === "closed") done(events);
        };
        for (let sent = 0; sent < 64; sent += 1) port.postMessage({ type: "data", bytes: new Uint8Array(262_144) });
      });
    },
    server.peer,
    ECHO,
  );
  assert.deepEqual(events, ["reset:protocol", "closed"]);
  await echoes(page, server.peer, [1000]);
  await page.close();
});

test("a slow reader loses nothing", async (t) => {
  const page = await allowed(chromium, await freshSite(t));
  await dial(page, server);
  // A window far smaller than what is sent: the rest waits at the other end of every hop.
  const { sent, received } = await page.evaluate(
    (peer) => window.node.echo(peer, 2_000_000, { window: 20_000, chunk: 10_000 }),
    server.peer,
  );
  assert.equal(received, sent);
  await page.close();
});

test("a stream that speaks in turns goes on, however slowly it is written", async (t) => {
  const page = await allowed(chromium, await freshSite(t));
  await dial(page, server);
  // Never enough at once to fill the browser's queue; together more than the queue holds.
  const received = await page.evaluate(
    async (peer, protocol) => {
      const { port } = await window.node.request("streams.open", { peer, protocols: [protocol] });
      const [turns, size] = [64, 10_000];
      let [credit, sent, received] = [0, 0, 0];
      return new Promise((done) => {
        port.onmessage = ({ data }) => {
          if (data.type === "credit") credit += data.bytes;
          if (data.type === "data") {
            received += data.bytes.length;
            port.postMessage({ type: "credit", bytes: data.bytes.length });
          }
          if (data.type === "closed" || received === turns * size) return done(received);
          if (received === sent && credit >= size) {
            port.postMessage({ type: "data", bytes: new Uint8Array(size) });
            credit -= size;
            sent += size;
          }
        };
        port.postMessage({ type: "credit", bytes: size });
        setTimeout(() => done(received), 15_000);
      });
    },
    server.peer,
    ECHO,
  );
  assert.equal(received, 640_000);
  await page.close();
});

test("errors of dialing are told apart", async (t) => {
  const page = await allowed(chromium, await freshSite(t));
  const wrongPeer = server.address.replace(server.peer, "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA");
  const dialed = await request(page, "connections.dial", { addresses: [wrongPeer], timeoutMs: 20_000 });
  assert.ok([5001, 5002].includes(dialed.error?.code), JSON.stringify(dialed));
  const unreachable = server.address.replace(/\/udp\/\d+\//, "/udp/1/");
  const lost = await request(page, "connections.dial", { addresses: [unreachable.replace(server.peer, "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA")], timeoutMs: 1_500 });
  assert.ok([5001, 5002].includes(lost.error?.code), JSON.stringify(lost));
  await dial(page, server);
  const foreign = await request(page, "streams.open", { peer: server.peer, protocols: ["/other/1"] });
  assert.equal(foreign.error?.code, 4100);
  await page.close();
});

test("a site's events are told, and its release closes what nobody else wants", async (t) => {
  const page = await allowed(chromium, await freshSite(t));
  await call(page, "events.subscribe", { events: ["connection.opened", "connection.closed", "peer.disconnected"] });
  const other = await startServer();
  t.after(() => other.close());
  await dial(page, other);
  // Of this server only: the node is shared, and the servers of earlier tests may be noticed to be gone meanwhile.
  const told = (event) =>
    page.evaluate(
      (event, peer) =>
        window.node.notifications(event).filter(({ connection }) => connection.peerId === peer).length === 1,
      event,
      other.peer,
    );
  await until("the event of opening", () => told("connection.opened"));
  await call(page, "connections.release", { peer: other.peer });
  await until("the event of closing", () => told("connection.closed"));
  await until("the server to notice", () => other.closed() === 1);
  await page.close();
});
