// A thousand streams of ten tabs at once, of which many are cut: `cargo xtask soak tabs`.
import { launchChromium } from "../tests/e2e/support/chromium.mjs";
import { allowed, dial, ECHO } from "../tests/e2e/support/scenarios.mjs";
import { startServer } from "../tests/e2e/support/server.mjs";
import { startSite } from "../tests/e2e/support/site.mjs";
import { until } from "../tests/e2e/support/wait.mjs";
import { available } from "../tests/e2e/support/page.mjs";
import { random } from "./stats.mjs";

const TABS = 10;
/** A connection has 512 ids for the streams that one end opens (crates/webrtc/src/limits.rs), and those that ended keep theirs for a while. */
const SERVERS = 4;
const SEED = 6;
/** Of each tab, so that all of them together stay within the 64 that an origin may count on. */
const OPENING_AT_ONCE = 6;
/** How long after the tabs the last stream may go, in milliseconds: the promise. */
const FREED_MS = 5_000;
/** How a stream ends: by itself, by the page's reset, by the page's dropping its port, or with its tab. */
const ENDS = ["whole", "whole", "reset", "close", "tab"];

/** What a tab's streams are to do. Sizes are even by order of magnitude, so that there are small and large ones. */
function plan(next, count, most) {
  return Array.from({ length: count }, () => {
    const size = Math.max(1, Math.floor(most ** next()));
    return { size, end: ENDS[Math.floor(next() * ENDS.length)], after: Math.floor(next() * size) };
  });
}

/** Runs in the page: opens all its streams, and then moves the bytes of all of them at once. */
async function carry(peers, protocol, jobs, atOnce) {
  const hash = async (bytes) => [...new Uint8Array(await crypto.subtle.digest("SHA-256", bytes))].join();
  const ports = [];
  let next = 0;
  const opener = async () => {
    while (next < jobs.length) {
      const index = next++;
      const { error, port } = await window.node.request("streams.open", { peer: peers[index % peers.length], protocols: [protocol] });
      if (error) throw new Error(`stream ${index}: ${error.code} ${error.message}`);
      ports[index] = port;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, opener));
  window.openPorts = ports;
  window.carryAll = async () => {
    const results = await Promise.all(jobs.map(async ({ size, end, after }, index) => {
      const port = ports[index];
      const bytes = new Uint8Array(size);
      for (let at = 0; at < size; at += 65_536) crypto.getRandomValues(bytes.subarray(at, Math.min(at + 65_536, size)));
      const back = new Uint8Array(size);
      const events = [];
      let [credit, sent, came] = [0, 0, 0];
      const cut = end === "reset" || end === "close";
      const pump = () => {
        while (sent < size && credit > 0) {
          const part = Math.min(16_384, credit, size - sent);
          port.postMessage({ type: "data", bytes: bytes.slice(sent, sent + part) });
          sent += part;
          credit -= part;
          if (sent === size && end === "whole") port.postMessage({ type: "closeWrite" });
        }
      };
      await new Promise((done) => {
        port.onmessage = ({ data }) => {
          if (data.type === "credit") credit += data.bytes;
          else if (data.type === "data") {
            if (came + data.bytes.length <= size) back.set(data.bytes, came);
            came += data.bytes.length;
            if (!cut || came <= after) port.postMessage({ type: "credit", bytes: data.bytes.length });
          } else events.push(data.type);
          if (cut && came > after) {
            port.onmessage = null;
            if (end === "reset") port.postMessage({ type: "reset", reason: "enough" });
            else port.close();
            done();
          } else if (data.type === "closed" || (end === "tab" && came >= size)) done();
          else pump();
        };
        port.postMessage({ type: "credit", bytes: 65_536 });
      });
      const what = `${index}, ${end}, ${came} of ${size} bytes`;
      if (came > size || (!cut && came !== size)) return `${what} came`;
      if ((await hash(back.subarray(0, came))) !== (await hash(bytes.subarray(0, came)))) return `${what}: others`;
      if (end === "whole" && events.join() !== "closeWrite,closed") return `${what}: ${events}`;
      if (end === "tab" && events.length > 0) return `${what}: ${events}`;
      return { came };
    }));
    return {
      bytes: results.reduce((sum, { came = 0 }) => sum + came, 0),
      wrong: results.filter((each) => typeof each === "string"),
    };
  };
}

/**
 * Streams that are not gone: `live` those that the host works on, `open` with those whose channels are not closed. A channel closes only
 * when the remote has answered its closing with its own (RFC 8831, section 6.7): what the servers still have is counted too. Those that
 * are negotiated carry no stream: they keep an id from being used again (crates/webrtc/src/web/ids.rs).
 */
async function streams(launched) {
  const host = await launched.host();
  const prototype = await host.evaluateHandle(() => RTCDataChannel.prototype);
  const all = await host.queryObjects(prototype);
  const counts = await all.evaluate((all) => {
    const open = all.filter(({ readyState, negotiated }) => readyState !== "closed" && !negotiated);
    return { open: open.length, live: open.filter(({ onmessage }) => onmessage).length };
  });
  await all.dispose();
  await prototype.dispose();
  return counts;
}

/** What the node itself has open, after what the connections begin with is over: the same twice, three seconds apart. */
async function quiet(launched) {
  let last;
  return until("the node's own streams to be quiet", async () => {
    const before = last;
    last = await streams(launched);
    if (before?.open === last.open && last.open === last.live) return last;
    await new Promise((done) => setTimeout(done, 3_000));
    return undefined;
  }, 30_000);
}

export const tabs = {
  count: 1_000,
  bytes: 1024 * 1024,
  title: ({ count, bytes }) => `${count} streams of ${TABS} tabs at once, each up to ${bytes} bytes, checked by hash, three of five cut in all ways`,
  async run({ host, count, bytes, say }, log) {
    log.done.length = 0;
    const running = [];
    try {
      const servers = [];
      for (let at = 0; at < SERVERS; at += 1) {
        servers.push(await startServer({ host }));
        running.push(servers.at(-1));
      }
      const site = await startSite();
      running.push(site);
      const launched = await launchChromium();
      running.push(launched);
      const next = random(SEED);
      // It wants the connections, and has no streams.
      const first = await allowed(launched, site);
      for (const server of servers) await dial(first, server);
      const before = await quiet(launched);
      const pages = [];
      for (let at = 0; at < TABS; at += 1) {
        const page = await launched.open(site.url());
        await available(page);
        pages.push(page);
      }
      const peers = servers.map(({ peer }) => peer);
      const share = (at) => Math.floor((count * (at + 1)) / TABS) - Math.floor((count * at) / TABS);
      const begun = performance.now();
      const plans = pages.map((_, at) => plan(next, share(at), bytes));
      await Promise.all(pages.map((page, at) => page.evaluate(carry, peers, ECHO, plans[at], OPENING_AT_ONCE)));
      const open = (await streams(launched)).live - before.live;
      say(`${open} streams open after ${Math.round(performance.now() - begun)} ms`);
      const results = await Promise.all(pages.map((page) => page.evaluate(() => window.carryAll())));
      const milliseconds = performance.now() - begun;
      const held = plans.flat().filter(({ end }) => end === "tab").length;
      say(`done after ${Math.round(milliseconds)} ms; ${held} streams are left to the tabs' end`);
      const closing = performance.now();
      await Promise.all(pages.map((page) => page.close()));
      const freed = {};
      const left = {};
      await until("every stream to be gone", async () => {
        const now = await streams(launched);
        for (const count of ["live", "open"]) {
          left[count] = now[count] - before[count];
          if (left[count] <= 0) freed[count] ??= performance.now() - closing;
          else delete freed[count];
        }
        say(`${JSON.stringify(left)} after ${Math.round(performance.now() - closing)} ms`);
        return left.live <= 0 && left.open <= 0;
      }, 30_000).catch(() => undefined);
      const version = await launched.browser.version();
      log.add({
        open, held, left, freed, milliseconds,
        bytes: results.reduce((sum, each) => sum + each.bytes, 0),
        wrong: results.flatMap(({ wrong }) => wrong),
      });
      return version;
    } finally {
      for (const each of running.reverse()) await each.close();
    }
  },
  judge([run], { count }) {
    if (!run) return { kept: false, lines: ["it did not come to its end"] };
    const { open, held, left, freed, wrong, bytes, milliseconds } = run;
    const inTime = ["live", "open"].every((count) => left[count] <= 0 && freed[count] <= FREED_MS);
    const when = (count) => (freed[count] === undefined ? `${left[count]} never` : `all ${(freed[count] / 1000).toFixed(2)} s`);
    return {
      kept: open === count && held > 0 && wrong.length === 0 && inTime,
      lines: [
        `${open} of ${count} streams open at once; ${(bytes / 1e6).toFixed(1)} MB came back in ${(milliseconds / 1000).toFixed(1)} s`,
        `${held} streams were left to their tabs' end; gone in the host: ${when("live")} after it; closed at both ends: ${when("open")}`,
        `${wrong.length} streams with wrong bytes or a wrong end`,
        ...wrong.slice(0, 20),
      ],
    };
  },
};
