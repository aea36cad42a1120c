// Whoever dials this node by `/webrtc` chooses the addresses that its browser sends checks to. Private ones get no packet, and learn no
// address of ours, unless a site that handles streams may use the local network. Counted where the packets would arrive.
import { ADDRESS, GLOBAL, enterNamespace } from "../e2e/support/namespace.mjs";
enterNamespace();

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import dgram from "node:dgram";
import path from "node:path";
import readline from "node:readline";
import { after, before, test } from "node:test";
import { root } from "../e2e/support/binaries.mjs";
import { launchChromium } from "../e2e/support/chromium.mjs";
import { call } from "../e2e/support/page.mjs";
import { reachable, serveEcho } from "../e2e/support/pair.mjs";
import { allowed, ECHO } from "../e2e/support/scenarios.mjs";
import { end } from "../e2e/support/scratch.mjs";
import { startServer } from "../e2e/support/server.mjs";
import { startSite } from "../e2e/support/site.mjs";
import { until } from "../e2e/support/wait.mjs";
import { addressOf } from "./support/peers.mjs";

const ANSWER = 1;
/** Checks that the open address gets before the closed one counts as silent: ICE sends to each candidate in turn. */
const CHECKS = 20;

let relay;
let browser;

before(async () => {
  // On an address that is global by its looks: no site needs a grant to be reached over it.
  relay = await startServer({ host: GLOBAL });
  browser = await launchChromium();
});

after(async () => {
  await browser?.close();
  await relay?.close();
});

/** Counts the datagrams that come to an address. */
async function sink(address) {
  const socket = dgram.createSocket("udp4");
  let count = 0;
  socket.on("message", () => (count += 1));
  await new Promise((done) => socket.bind(0, address, done));
  return { at: `${address}:${socket.address().port}`, count: () => count, close: () => new Promise((done) => socket.close(done)) };
}

/** A page that is reached over the relay, and a peer that offers it these candidates. */
async function offered(t, dial, candidates) {
  const site = await startSite();
  t.after(() => site.close());
  const page = await allowed(browser, site, [{ name: "identity" }, dial, { name: "streams", protocols: [ECHO] }]);
  t.after(() => page.close());
  await serveEcho(page);
  const own = await reachable(page, relay);
  const { peerId } = await call(page, "identity.get");
  assert.ok(own.length > 0);
  const circuit = `${addressOf(relay.addresses, "tcp")}/p2p-circuit/p2p/${peerId}`;
  const child = spawn(process.execPath, [path.join(root, "tests/interop/js/offerer.mjs"), circuit, ...candidates], { stdio: ["pipe", "pipe", "inherit"] });
  t.after(() => end(child));
  const messages = [];
  readline.createInterface({ input: child.stdout }).on("line", (line) => messages.push(JSON.parse(line)));
  await until("an answer", () => messages.some(({ type }) => type === ANSWER), 30_000);
  return messages;
}

for (const { name, dial, open } of [
  { name: "without the grant private candidates get no packet, and none of ours are told", dial: { name: "dial" }, open: false },
  { name: "with the grant they do", dial: { name: "dial", privateNetwork: true }, open: true },
]) {
  test(name, async (t) => {
    const [inside, outside] = [await sink(ADDRESS), await sink(GLOBAL)];
    t.after(() => Promise.all([inside.close(), outside.close()]));
    const messages = await offered(t, dial, [inside.at, outside.at]);
    await until("checks at the global address", () => outside.count() >= CHECKS, 30_000);
    t.diagnostic(`${inside.count()} packets to ${ADDRESS}, ${outside.count()} to ${GLOBAL}`);
    const told = messages.map(({ data }) => data).filter((data) => data.includes("candidate:"));
    const isPrivate = (data) => data.includes(ADDRESS) || data.includes(".local");
    assert.ok(told.some((data) => data.includes(GLOBAL)), told.join("\n"));
    assert.equal(told.some(isPrivate), open, told.join("\n"));
    if (open) assert.ok(inside.count() > 0);
    else assert.equal(inside.count(), 0);
  });
}
