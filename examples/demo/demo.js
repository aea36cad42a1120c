// Waits for the node, asks for permission, dials the server named in this page's address, and pings it for as long as
// the page is open. What it does is in `window.demo` too, for whoever drives the page.
import { Graph } from "./graph.js";
import { findNode, pause } from "./meet.js";
import { MooringError } from "./mooring-client.js";

const query = new URLSearchParams(location.search);
const SERVER = query.get("server") ?? decodeURIComponent(location.hash.slice(1));
/** Milliseconds between two pings. */
const EVERY = Number(query.get("every") ?? 500);
/** Connections drop; before the next try to dial again. */
const REDIAL = 1_000;
/** Round trips kept for the median. */
const KEPT = 1_000;

const PERMISSIONS = [{ name: "identity" }, { name: "peers" }, { name: "dial", privateNetwork: true }];
const STEPS = ["waiting", "asking", "dialing", "pinging"];

const demo = { state: "waiting", error: null, pings: [], failed: 0 };
window.demo = demo;

const element = (id) => document.getElementById(id);
const show = (id, text) => {
  element(id).textContent = text;
};
const graph = new Graph(element("graph"));
let opened = null;

function step(state, text) {
  demo.state = state;
  const now = STEPS.indexOf(state);
  for (const [index, name] of STEPS.entries()) {
    const item = document.querySelector(`[data-step="${name}"]`);
    item.className = index < now ? "done" : index === now ? "now" : "";
  }
  if (text) document.querySelector(`[data-step="${state}"] span`).textContent = text;
}

function problem(text) {
  demo.error = text;
  show("problem", text);
  element("problem").hidden = !text;
}

const explain = (error) => (error instanceof MooringError ? `${error.message} (${error.code})` : String(error));

async function dial(node) {
  step("dialing", "Dials the server…");
  const connection = await node.dial([SERVER]);
  opened = connection.openedAt;
  show("peer", connection.peerId);
  show("address", connection.remoteAddress);
  show("transport", `${connection.transport}, ${connection.path}`);
  document.querySelector('[data-step="dialing"] span').textContent = `${connection.transport}, ${connection.path}`;
  problem(null);
  return connection.peerId;
}

function record(rtt) {
  graph.add(rtt);
  if (rtt === null) {
    demo.failed += 1;
    show("failed", String(demo.failed));
    return;
  }
  demo.pings.push(rtt);
  const sorted = demo.pings.slice(-KEPT).sort((a, b) => a - b);
  show("rtt", rtt.toFixed(1));
  show("count", String(demo.pings.length));
  show("fastest", `${sorted[0].toFixed(1)} ms`);
  show("median", `${sorted[sorted.length >> 1].toFixed(1)} ms`);
  show("slowest", `${sorted.at(-1).toFixed(1)} ms`);
}

async function pingForever(node) {
  for (;;) {
    try {
      const peer = await dial(node);
      step("pinging", `There and back, every ${EVERY} ms`);
      for (;;) {
        record(await node.peers.ping(peer, { timeout: 10_000 }));
        await pause(EVERY);
      }
    } catch (error) {
      if (demo.state === "pinging") record(null);
      problem(explain(error));
      await pause(REDIAL);
    }
  }
}

/** What the node knows by itself: its own pings of the server go on whether this page asks or not. */
async function watchConnection(node) {
  for (;;) {
    try {
      const [connections, peers] = await Promise.all([node.connections.list(), node.peers.list()]);
      const mine = connections.find(({ peerId }) => SERVER.endsWith(`/p2p/${peerId}`));
      const peer = peers.find(({ peerId }) => peerId === mine?.peerId);
      if (mine?.rttMs !== undefined) show("own-rtt", `${mine.rttMs.toFixed(1)} ms, last measured`);
      if (peer?.agent) show("agent", peer.agent);
    } catch {
      // The pings say what is wrong.
    }
    if (opened) show("since", lasting(Date.now() - opened));
    await pause(1_000);
  }
}

function lasting(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const minutes = Math.floor(seconds / 60);
  return minutes > 0 ? `${minutes} min ${seconds % 60} s` : `${seconds} s`;
}

async function main() {
  step("waiting");
  if (!SERVER) {
    problem("This page wants the server's multiaddr in its address: …/?server=/ip4/…/p2p/…");
    return;
  }
  let node;
  try {
    node = await findNode(() => step("waiting", "No extension answers yet"));
  } catch (error) {
    demo.state = "failed";
    problem(explain(error));
    return;
  }
  const { product, productVersion } = node.extension;
  step("asking", "Answer in the window that just opened");
  document.querySelector('[data-step="waiting"] span').textContent = `${product} ${productVersion}`;
  try {
    const granted = await node.permissions.request(PERMISSIONS);
    document.querySelector('[data-step="asking"] span').textContent = `Allowed: ${granted.map(({ name }) => name).join(", ")}`;
  } catch (error) {
    demo.state = "failed";
    problem(`Without permission there is nothing to show. ${explain(error)}`);
    return;
  }
  node.addEventListener("permissions.changed", ({ detail }) => {
    if (!detail.granted.some(({ name }) => name === "dial")) problem("The permission was taken back.");
  });
  node.identity().then(({ peerId }) => show("own", peerId), () => undefined);
  void watchConnection(node);
  await pingForever(node);
}

void main();
