// Pages that read slowly: the remote's writer waits, nobody else does, and the host holds no more than a window.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { freshSite, inOneBrowser } from "./support/both.mjs";
import { launchChromium } from "./support/chromium.mjs";
import { call } from "./support/page.mjs";
import { allowed, dial, ECHO, echoes, PERMISSIONS } from "./support/scenarios.mjs";
import { until } from "./support/wait.mjs";

const MiB = 1024 * 1024;
const PERF = "/perf/1.0.0";
/** What issue 4 allows a slow reader to cost. */
const EXTRA = 16 * MiB;
/** What a round trip may take beside a stream that is not read; alone it takes a few milliseconds. */
const QUICK_MS = 1_000;

let chromium;
let server;

inOneBrowser(launchChromium, {}, (shared) => {
  ({ browser: chromium, server } = shared);
});

/** Bytes of the host's wasm memory, which grows and never shrinks. */
async function hostMemory() {
  const host = await chromium.host();
  const prototype = await host.evaluateHandle(() => WebAssembly.Memory.prototype);
  const memories = await host.queryObjects(prototype);
  const sizes = await memories.evaluate((all) => all.map((memory) => memory.buffer.byteLength));
  await Promise.all([prototype.dispose(), memories.dispose()]);
  assert.equal(sizes.length, 1);
  return sizes[0];
}

/**
 * Opens a stream and leaves it to `window.slow`: it sends `up` bytes within its credit and ends its side, and receives what it
 * grants credit for by `slow.read(bytes)`.
 */
const begin = (page, protocol, up) =>
  page.evaluate(
    async (peer, protocol, up) => {
      const { error, port } = await window.node.request("streams.open", { peer, protocols: [protocol] });
      if (error) throw new Error(`${error.code} ${error.message}`);
      const bytes = new Uint8Array(up);
      const words = new Uint32Array(bytes.buffer);
      for (let at = 0, state = 1; at < words.length; at += 1) words[at] = state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      const hash = async (blob) =>
        [...new Uint8Array(await crypto.subtle.digest("SHA-256", await blob.arrayBuffer()))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
      const slow = (window.slow = {
        sent: 0,
        received: 0,
        granted: 0,
        events: [],
        parts: [],
        /** Grants credit up to so many bytes in all, 1 MiB ahead of what has come. */
        read(bytes) {
          slow.goal = bytes;
          slow.grant();
        },
        grant() {
          const more = Math.min(slow.goal, slow.received + 1024 * 1024) - slow.granted;
          if (more < 65536 && slow.granted + more < slow.goal) return;
          if (more <= 0) return;
          slow.granted += more;
          port.postMessage({ type: "credit", bytes: more });
        },
        hashes: async () => ({ sent: await hash(new Blob([bytes])), received: await hash(new Blob(slow.parts)) }),
      });
      let credit = 0;
      port.onmessage = ({ data }) => {
        if (data.type === "data") {
          slow.parts.push(data.bytes);
          slow.received += data.bytes.length;
          slow.grant();
        } else if (data.type === "credit") {
          credit += data.bytes;
          while (credit > 0 && slow.sent < bytes.length) {
            const size = Math.min(65536, credit, bytes.length - slow.sent);
            port.postMessage({ type: "data", bytes: bytes.slice(slow.sent, slow.sent + size) });
            slow.sent += size;
            credit -= size;
            if (slow.sent === bytes.length) port.postMessage({ type: "closeWrite" });
          }
        } else slow.events.push(data.type + (data.reason ? `:${data.reason}` : ""));
      };
      if (protocol === "/perf/1.0.0") {
        // Eight bytes that say how much is wanted.
        const wanted = new DataView(new ArrayBuffer(8));
        wanted.setBigUint64(0, BigInt(up));
        port.onmessage = ((receive) => (event) => {
          if (event.data.type !== "credit") return receive(event);
          if (slow.sent > 0) return undefined;
          slow.sent = 8;
          port.postMessage({ type: "data", bytes: new Uint8Array(wanted.buffer) });
          port.postMessage({ type: "closeWrite" });
          return undefined;
        })(port.onmessage);
      }
    },
    server.peer,
    protocol,
    up,
  );

const state = (page) => page.evaluate(() => ({ sent: window.slow.sent, received: window.slow.received, events: window.slow.events }));

/** Waits until what is looked at stands still, and gives it. */
async function standsStill(what, look, milliseconds = 1_500) {
  let [before, since] = [undefined, Date.now()];
  const { now } = await until(`${what} to stand still`, async () => {
    const now = await look();
    if (now !== before) [before, since] = [now, Date.now()];
    return Date.now() - since > milliseconds && { now };
  }, 60_000);
  return now;
}

async function othersAreQuick(page) {
  for (let n = 0; n < 5; n += 1) {
    const { rttMs } = await call(page, "peers.ping", { peer: server.peer });
    assert.ok(rttMs < QUICK_MS, `a ping took ${rttMs} ms`);
  }
  const started = Date.now();
  await echoes(page, server.peer, [100_000]);
  assert.ok(Date.now() - started < 5 * QUICK_MS, `an echo took ${Date.now() - started} ms`);
}

async function end(page, bytes) {
  await page.evaluate((bytes) => window.slow.read(bytes), bytes);
  await until("the end", async () => (await state(page)).events.includes("closed"), 120_000);
  const { received, events } = await state(page);
  assert.equal(received, bytes, `${events}; ${server.log.slice(-3).join("; ")}`);
  assert.deepEqual(events, ["closeWrite", "closed"]);
  return page.evaluate(() => window.slow.hashes());
}

test("a page that stops reading a download stops its sender, and reads on where it stopped", async (t) => {
  const page = await allowed(chromium, await freshSite(t), PERMISSIONS.with(-1, { name: "streams", protocols: [ECHO, PERF] }));
  await dial(page, server);
  await echoes(page, server.peer, [4 * MiB]);
  const before = await hostMemory();
  const total = 64 * MiB;
  await begin(page, PERF, total);
  await page.evaluate((bytes) => window.slow.read(bytes), MiB);
  assert.equal(await standsStill("what the page receives", async () => (await state(page)).received), MiB);
  // A sender that nobody stops fills the host meanwhile, until it resets the stream.
  const paused = await standsStill("the host's memory", hostMemory, 4_000);
  assert.ok(paused - before < EXTRA / 2, `${paused - before} bytes came for a page that does not read`);
  await othersAreQuick(page);
  assert.deepEqual((await state(page)).events, []);
  const { received } = await end(page, total);
  assert.equal(received, createHash("sha256").update(Buffer.alloc(total)).digest("hex"));
  const extra = (await hostMemory()) - before;
  t.diagnostic(`the host's memory grew by ${(extra / MiB).toFixed(1)} MiB`);
  assert.ok(extra <= EXTRA, `the host's memory grew by ${extra} bytes`);
  await page.close();
});

test("a page that sends and does not read stops itself, and nothing is lost once it reads", async (t) => {
  const page = await allowed(chromium, await freshSite(t));
  await dial(page, server);
  await echoes(page, server.peer, [4 * MiB]);
  const before = await hostMemory();
  const total = 32 * MiB;
  await begin(page, ECHO, total);
  const sent = await standsStill("what the page sends", async () => (await state(page)).sent);
  t.diagnostic(`${(sent / MiB).toFixed(1)} MiB were sent without a reader`);
  assert.ok(sent < EXTRA, `${sent} bytes were taken from a page that does not read`);
  await othersAreQuick(page);
  const hashes = await end(page, total);
  assert.equal(hashes.received, hashes.sent);
  const extra = (await hostMemory()) - before;
  t.diagnostic(`the host's memory grew by ${(extra / MiB).toFixed(1)} MiB`);
  assert.ok(extra <= EXTRA, `the host's memory grew by ${extra} bytes`);
  await page.close();
});
