// A site without `privateNetwork` dials addresses that are not global, in all their spellings: each is refused, nothing leaves, and the
// refusal does not tell whether anybody listens there. `cargo xtask soak spellings` does it with more of them.
import { ADDRESS, enterNamespace } from "./support/namespace.mjs";
enterNamespace();

import assert from "node:assert/strict";
import net from "node:net";
import { after, before, test } from "node:test";
import { launchChromium } from "./support/chromium.mjs";
import { codes, compare, refuse, routeIpv6, sent } from "./support/refusals.mjs";
import { allowed } from "./support/scenarios.mjs";
import { startSite } from "./support/site.mjs";
import { spellings } from "./support/spellings.mjs";

const SEED = 6;
const COUNT = 1_600;
const ROUNDS = 100;
// Nobody listens there, and it is none of those to which browsers do not connect.
const PORT = 4_083;
const PEER = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA";
const HASH = "uEiDDq4_xNyDorZBH3TlGazyJdOWSwvo4PUo5YHFMrvDE8g";

let chromium;

before(async () => {
  routeIpv6();
  // Every name would lead to this machine: a node that looked one up would be heard.
  chromium = await launchChromium({ names: ["*"] });
});

after(() => chromium?.close());

async function page(t, dial) {
  const site = await startSite();
  t.after(() => site.close());
  const page = await allowed(chromium, site, [dial]);
  t.after(() => page.close());
  return page;
}

test(`${COUNT} spellings of addresses that are not global are refused, and no packet leaves`, async (t) => {
  const { byKind, wrong, sent } = await refuse(await page(t, { name: "dial" }), spellings(SEED), COUNT);
  for (const [kind, codes] of Object.entries(byKind)) t.diagnostic(`${kind}: ${JSON.stringify(codes)}`);
  assert.deepEqual(wrong, []);
  assert.deepEqual(sent, { tcp: 0, udp: 0 });
});

test("with the grant the same addresses are dialed, and that is counted", async (t) => {
  const granted = await page(t, { name: "dial", privateNetwork: true });
  for (const [address, protocol] of [
    [`/ip4/${ADDRESS}/tcp/${PORT}/ws/p2p/${PEER}`, "tcp"],
    [`/ip6/fd83::2/tcp/${PORT}/ws/p2p/${PEER}`, "tcp"],
    [`/dns4/2130706433/tcp/${PORT}/ws/p2p/${PEER}`, "tcp"],
    [`/dns4/Printer.LOCAL./tcp/${PORT}/wss/p2p/${PEER}`, "tcp"],
    [`/ip4/10.83.0.2/udp/${PORT}/webrtc-direct/certhash/${HASH}/p2p/${PEER}`, "udp"],
    [`/ip4/10.83.0.2/udp/${PORT}/quic-v1/webtransport/certhash/${HASH}/p2p/${PEER}`, "udp"],
  ]) {
    const before = sent();
    const [code] = await codes(granted, [[address]]);
    assert.ok([5001, 5002].includes(code), `${address}: ${code}`);
    assert.ok(sent()[protocol] > before[protocol], `${address}: nothing was sent`);
  }
});

test("a refusal does not tell whether anybody listens there", async (t) => {
  const asking = await page(t, { name: "dial" });
  for (const host of ["127.0.0.1", ADDRESS]) {
    const listener = net.createServer((socket) => socket.destroy());
    const silent = net.createServer();
    for (const each of [listener, silent]) await new Promise((done) => each.listen(0, host, done));
    const [open, closed] = [listener, silent].map((each) => `/ip4/${host}/tcp/${each.address().port}/ws/p2p/${PEER}`);
    await new Promise((done) => silent.close(done));
    t.after(() => new Promise((done) => listener.close(done)));
    const [toOpen, toClosed] = await compare(asking, [open, closed], ROUNDS);
    assert.equal(toOpen.told.length, 1);
    assert.match(toOpen.told[0], /"code":5007/);
    assert.deepEqual(toOpen.told, toClosed.told);
    const [middle, other] = [toOpen, toClosed].map(({ times }) => times.toSorted((a, b) => a - b)[ROUNDS / 2]);
    t.diagnostic(`${host}: ${middle.toFixed(2)} ms open, ${other.toFixed(2)} ms closed`);
    // In turns, so that whatever else this machine does happens to both.
    assert.ok(Math.max(middle, other) < 2 * Math.min(middle, other) + 1, `${middle} ms open, ${other} ms closed`);
  }
});
