// Endurance of `/webrtc`: browsers with the packaged extension that meet over a relay, in a network namespace.
import { launchChromium } from "../tests/e2e/support/chromium.mjs";
import { launchFirefox } from "../tests/e2e/support/firefox.mjs";
import { GLOBAL } from "../tests/e2e/support/namespace.mjs";
import { call } from "../tests/e2e/support/page.mjs";
import { connectionsTo, dialDirectly, onlyDirect, pair, reachable } from "../tests/e2e/support/pair.mjs";
import { startServer } from "../tests/e2e/support/server.mjs";
import { startSite } from "../tests/e2e/support/site.mjs";
import { until } from "../tests/e2e/support/wait.mjs";
import { listen } from "../tests/interop/support/peers.mjs";
import { spread } from "./stats.mjs";

/** What a relay may carry for a pair, both ways together. */
const RELAYED_BYTES = 64 * 1024;
/** A page keeps all that came until it has hashed it; more at once is memory, not transport. */
const ECHO_BYTES = 25_000_000;

/** Who is reached, who dials, over whose relay. */
const MEETINGS = ["mooring", "go-libp2p"].flatMap((relay) =>
  [["chromium", "chromium"], ["chromium", "firefox"], ["firefox", "firefox"]].map(([near, far]) => ({ near, far, relay })),
);

const relays = {
  mooring: (host) => startServer({ host, args: ["--metrics", "127.0.0.1:0"] }),
  async "go-libp2p"() {
    // It names only global addresses in a reservation, and without one there is none.
    const running = await listen("go", ["--relay", "--address", GLOBAL]);
    return { ...running, address: running.on("webrtc-direct") };
  },
};

/** The bytes that a relay carried, both ways together. */
function carried(numbers) {
  const bytes = ["listener", "dialer"].map((end) => numbers[`mooring_relay_circuit_bytes_total{toward="${end}"}`]);
  const sum = bytes[0] + bytes[1];
  if (!(sum > 0)) throw new Error("the relay counted nothing");
  return sum;
}

const launch = (name) => (name === "firefox" ? launchFirefox() : launchChromium());

/** A relay, a site and two browsers; then everything gone. */
async function together({ near, far, relay }, host, work) {
  const running = [];
  try {
    const started = await relays[relay](host);
    running.push(started);
    const site = await startSite();
    running.push(site);
    const browsers = [];
    for (const name of [near, far]) {
      const browser = await launch(name);
      browsers.push(browser);
      running.push(browser);
    }
    return await work({ relay: started, browsers, pages: await pair(...browsers, site, started) });
  } finally {
    for (const each of running.reverse()) await each.close();
  }
}

/** Peer connections of the browser's node that are not closed. Chromium's collector is asked to run first. */
async function peerConnections(browser) {
  const host = await browser.host();
  const prototype = await host.evaluateHandle(() => RTCPeerConnection.prototype);
  const all = await host.queryObjects(prototype);
  const open = await all.evaluate((all) => all.filter(({ connectionState }) => connectionState !== "closed").length);
  await all.dispose();
  await prototype.dispose();
  return open;
}

/** Back and forth, in parts that a page can hold, until that many bytes went each way. */
async function echoAll(page, peer, bytes) {
  const begun = performance.now();
  for (let left = bytes; left > 0; left -= ECHO_BYTES) {
    const { sent, received, events } = await page.evaluate(
      (peer, size) => window.node.echo(peer, size, { window: 4 * 1024 * 1024 }),
      peer,
      Math.min(left, ECHO_BYTES),
    );
    if (sent !== received) throw new Error("other bytes came back");
    if (events.join() !== "closeWrite,closed") throw new Error(`it ended with ${events.join()}`);
  }
  return performance.now() - begun;
}

export const meetings = {
  meetings: {
    count: MEETINGS.length,
    bytes: 100_000_000,
    title: ({ bytes }) => `two browsers meet over a relay, which is killed; then ${bytes / 1e6} MB each way, checked by hash`,
    async run({ host, count, bytes, say }, log) {
      for (const meeting of MEETINGS.slice(log.done.length, count)) {
        const run = await together(meeting, host, async ({ relay, pages }) => {
          const { ms, atOnce } = await dialDirectly(pages.far, pages.peer, pages.addresses);
          await onlyDirect(pages.far, pages.peer);
          await onlyDirect(pages.near, (await call(pages.far, "identity.get")).peerId);
          const relayed = relay.metrics && carried(await relay.metrics());
          relay.kill();
          const milliseconds = await echoAll(pages.far, pages.peer, bytes);
          const left = await connectionsTo(pages.far, pages.peer);
          if (left.some(({ path }) => path !== "direct")) throw new Error(`left: ${JSON.stringify(left)}`);
          return { dialMs: ms, atOnce, milliseconds, ...(relayed === undefined ? {} : { relayed }) };
        }).catch((error) => ({ failed: error.message }));
        log.add({ ...meeting, ...run });
        say(JSON.stringify({ ...meeting, ...run }));
      }
    },
    judge(runs, { count, bytes }) {
      return {
        kept: runs.length >= count && runs.every(({ failed, relayed }) => !failed && !(relayed >= RELAYED_BYTES)),
        lines: runs.map(({ near, far, relay, failed, dialMs, atOnce, milliseconds, relayed }) =>
          `${far} to ${near} over ${relay}: ` +
            (failed ?? `direct after ${dialMs} ms${atOnce ? "" : " (second attempt)"}, ${((2 * bytes) / 1000 / milliseconds).toFixed(1)} MB/s both ways` +
              (relayed === undefined ? "" : `, ${relayed} bytes relayed`))),
      };
    },
  },

  rounds: {
    count: 20,
    bytes: 100_000,
    title: ({ count }) => `${count} times connected and let go of again, and nothing left behind`,
    run: ({ host, count, bytes, say }, log) => {
      log.done.length = 0;
      return together({ near: "chromium", far: "chromium", relay: "mooring" }, host, async ({ relay, browsers, pages }) => {
        const { peerId } = await call(pages.far, "identity.get");
        const state = async () => {
          const { mooring_relay_circuits: circuits, mooring_relay_reservations: reservations } = await relay.metrics();
          const open = [];
          for (const browser of browsers) open.push(await peerConnections(browser));
          return { circuits, reservations, peerConnections: open };
        };
        await reachable(pages.far, relay);
        for (let round = 0; round <= count; round += 1) {
          const { ms } = round === 0 ? { ms: 0 } : await dialDirectly(pages.far, pages.peer, pages.addresses);
          if (round > 0) {
            await echoAll(pages.far, pages.peer, bytes);
            await call(pages.far, "connections.release", { peer: pages.peer });
            for (const [page, other] of [[pages.far, pages.peer], [pages.near, peerId]]) {
              await until("the pair to be apart", async () => (await connectionsTo(page, other)).length === 0, 30_000);
            }
          }
          await until("the relay to be done", async () => (await relay.metrics()).mooring_relay_circuits === 0, 30_000);
          const run = { round, ms, ...(await state()) };
          log.add(run);
          say(JSON.stringify(run));
        }
      });
    },
    judge(runs, { count }) {
      const [first, last] = [runs[0], runs.at(-1)];
      const what = ({ circuits, reservations, peerConnections }) => JSON.stringify({ circuits, reservations, peerConnections });
      const times = spread(runs.slice(1).map(({ ms }) => ms));
      return {
        kept: last?.round === count && what(first) === what(last),
        lines: [
          `${last?.round ?? 0} of ${count} rounds; direct after ${times.min} to ${times.max} ms, median ${times.median}`,
          `before: ${what(first)}`,
          `after: ${what(last)}`,
        ],
      };
    },
  },
};
