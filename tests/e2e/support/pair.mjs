// Two nodes that meet over a relay: one handles a protocol and is reached, the other dials it.
import assert from "node:assert/strict";
import { askServers } from "./ice.mjs";
import { call } from "./page.mjs";
import { allowed, ECHO } from "./scenarios.mjs";
import { until } from "./wait.mjs";

/** Makes a page echo every stream of the protocol, within the credit it gets and gives. */
export async function serveEcho(page) {
  await page.evaluate(() => {
    window.addEventListener("message", (event) => {
      const message = event.data?.message;
      if (event.source !== window || event.data?.to !== "page" || message?.method !== "streams.incoming") return;
      const [port] = event.ports;
      const waiting = [];
      let credit = 0;
      let ended = false;
      const pump = () => {
        while (waiting.length > 0 && credit >= waiting[0].length) {
          const bytes = waiting.shift();
          credit -= bytes.length;
          port.postMessage({ type: "data", bytes });
          port.postMessage({ type: "credit", bytes: bytes.length });
        }
        if (ended && waiting.length === 0) {
          ended = false;
          port.postMessage({ type: "closeWrite" });
        }
      };
      port.onmessage = ({ data }) => {
        if (data.type === "credit") credit += data.bytes;
        else if (data.type === "data") waiting.push(data.bytes);
        else if (data.type === "closeWrite") ended = true;
        pump();
      };
      port.postMessage({ type: "credit", bytes: 1024 * 1024 });
    });
  });
  await call(page, "streams.handle", { protocols: [ECHO] });
}

/** Connects the page's node to the relay; the addresses at which it is then reached by `/webrtc`. */
export async function reachable(page, relay) {
  await call(page, "connections.dial", { addresses: [relay.address] });
  return until("a /webrtc address that a browser can dial", async () => {
    const { addresses } = await call(page, "identity.get");
    const own = addresses.filter((address) => address.includes(`/p2p/${relay.peer}/p2p-circuit/webrtc/p2p/`));
    return own.some((address) => address.includes("/webrtc-direct/")) && own;
  });
}

/** The page's connections to a peer. */
export async function connectionsTo(page, peer) {
  const { connections } = await call(page, "connections.list");
  return connections.filter(({ peerId }) => peerId === peer);
}

/** Waits until the page has nothing to the peer but a direct connection by `/webrtc`. */
export function onlyDirect(page, peer) {
  return until("a direct connection, and no circuit", async () => {
    const connections = await connectionsTo(page, peer);
    return connections.length === 1 && connections[0].path === "direct" && connections[0].transport === "webrtc";
  }, 30_000);
}

/** Two pages with all that the scenarios need: `near` echoes, and `addresses` lead to its node by `/webrtc`. */
export async function pair(nearBrowser, farBrowser, site, relay) {
  await Promise.all([askServers(nearBrowser, []), askServers(farBrowser, [])]);
  const near = await allowed(nearBrowser, site);
  const far = await allowed(farBrowser, site);
  await serveEcho(near);
  const addresses = await reachable(near, relay);
  const { peerId } = await call(near, "identity.get");
  return { near, far, addresses, peer: peerId };
}

/**
 * Dials by `/webrtc`, and waits until the connection is direct; the milliseconds that took, and whether it was at once.
 * A Firefox that has not used mDNS before may begin so late that the first attempt ends with the circuit.
 */
export async function dialDirectly(page, peer, addresses) {
  const start = Date.now();
  const { connection } = await call(page, "connections.dial", { addresses, timeoutMs: 60_000 });
  assert.equal(connection.peerId, peer);
  const atOnce = connection.path === "direct";
  await until("a direct connection", async () => {
    const connections = await connectionsTo(page, peer);
    return connections.some(({ path, transport }) => path === "direct" && transport === "webrtc");
  }, 60_000);
  return { ms: Date.now() - start, atOnce };
}
