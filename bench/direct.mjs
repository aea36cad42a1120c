// How soon two browsers that have met over a relay talk directly, and how fast then: our extension beside js-libp2p in pages. `cargo xtask bench --direct`.
import path from "node:path";
import { parseArgs } from "node:util";
import { root } from "../tests/e2e/support/binaries.mjs";
import { launchChromium } from "../tests/e2e/support/chromium.mjs";
import { enterNamespace } from "../tests/e2e/support/namespace.mjs";
import { call } from "../tests/e2e/support/page.mjs";
import { connectionsTo, onlyDirect, pair } from "../tests/e2e/support/pair.mjs";
import { startServer } from "../tests/e2e/support/server.mjs";
import { startSite } from "../tests/e2e/support/site.mjs";
import { until } from "../tests/e2e/support/wait.mjs";
import { chromium, launch, openContender, serve } from "../tests/interop/support/probe.mjs";
import { machine } from "./machine.mjs";
import { write } from "./report.mjs";
import { ratios, spread } from "./stats.mjs";

const { values } = parseArgs({
  options: {
    pairs: { type: "string", default: "15" },
    bytes: { type: "string", default: "20000000" },
    write: { type: "boolean", default: false },
  },
});
const pairs = Number(values.pairs);
const bytes = Number(values.bytes);
const host = enterNamespace();
const say = (line) => process.stderr.write(`  - ${line}\n`);

/** The goals of issue 5, as ratios of ours to js-libp2p's. */
const GOALS = [
  { figure: "directMs", what: "from the circuit to a byte back over the direct connection", goal: "≤ 0.8", kept: (ratio) => ratio <= 0.8 },
  { figure: "echoMs", what: `echo of ${bytes / 1e6} MB`, goal: "≤ 1", kept: (ratio) => ratio <= 1 },
];

const withoutWebRTC = (address) => address.replace("/p2p-circuit/webrtc/", "/p2p-circuit/");

/** Two browsers with the extension. `measure` begins and ends without a connection between them. */
async function ours(relay) {
  const browsers = [await launchChromium(), await launchChromium()];
  const site = await startSite();
  const pages = await pair(...browsers, site, relay);
  const address = pages.addresses.find((each) => each.includes("/webrtc-direct/"));
  await call(pages.far, "connections.dial", { addresses: [relay.address] });
  await call(pages.far, "events.subscribe", { events: ["connection.upgraded"] });
  return {
    version: await browsers[0].browser.version(),
    async measure() {
      const directMs = await pages.far.evaluate(
        async (peer, circuit) => {
          const before = window.node.notifications("connection.upgraded").length;
          const { connection } = await window.node.call("connections.dial", { addresses: [circuit] });
          const begun = performance.now();
          if (connection.path !== "relayed") throw new Error(`it began ${connection.path}`);
          const upgraded = () => window.node.notifications("connection.upgraded").slice(before).some((each) => each.connection.peerId === peer);
          if (!upgraded()) {
            await new Promise((done) => {
              const look = () => upgraded() && done(window.removeEventListener("message", look));
              window.addEventListener("message", look);
            });
          }
          const { sent, received } = await window.node.echo(peer, 1);
          if (sent !== received) throw new Error("another byte came back");
          return performance.now() - begun;
        },
        pages.peer,
        withoutWebRTC(address),
      );
      await onlyDirect(pages.far, pages.peer);
      const echoMs = await pages.far.evaluate(async (peer, bytes) => {
        const begun = performance.now();
        const { sent, received } = await window.node.echo(peer, bytes, { window: 4 * 1024 * 1024 });
        if (sent !== received) throw new Error("other bytes came back");
        return performance.now() - begun;
      }, pages.peer, bytes);
      await call(pages.far, "connections.release", { peer: pages.peer });
      await until("the pair to be apart", async () => (await connectionsTo(pages.far, pages.peer)).length === 0, 30_000);
      return { directMs, echoMs };
    },
    close: () => Promise.all([...browsers, site].map((each) => each.close())),
  };
}

/** js-libp2p in two browsers' pages; a pair of its own for each measurement, as it does not let go of circuits. */
async function js(relay) {
  const browsers = [await launch(chromium()), await launch(chromium())];
  // Hashing takes a secure context.
  const site = await serve("127.0.0.1");
  return {
    async measure() {
      const near = await openContender(browsers[0].browser, site, "js-webrtc");
      const far = await openContender(browsers[1].browser, site, "js-webrtc");
      try {
        await near.call("start", relay.address);
        await far.call("start", relay.address);
        const address = await until("js-libp2p's address", async () =>
          (await near.call("addresses")).find((each) => each.includes("/webrtc-direct/") && each.includes("/p2p-circuit/webrtc/")));
        const directMs = await far.tab.evaluate(async (circuit, address) => {
          if (await window.contender.dial(circuit)) throw new Error("it began direct");
          const begun = performance.now();
          if (!(await window.contender.dial(address))) throw new Error("it stayed relayed");
          if (!(await window.contender.echo(1)).intact) throw new Error("another byte came back");
          return performance.now() - begun;
        }, withoutWebRTC(address), address);
        const { intact, milliseconds } = await far.call("echo", bytes);
        if (!intact) throw new Error("other bytes came back");
        return { directMs, echoMs: milliseconds };
      } finally {
        await near.close();
        await far.close();
      }
    },
    close: () => Promise.all([...browsers, site].map((each) => each.close())),
  };
}

async function main() {
  const relay = await startServer({ host });
  const contenders = { "mooring's extension": await ours(relay), "js-libp2p in pages": await js(relay) };
  const samples = new Map(Object.keys(contenders).map((name) => [name, []]));
  try {
    for (let at = 0; at < pairs; at += 1) {
      // Who is first changes, so that neither has the quieter machine.
      const names = at % 2 ? Object.keys(contenders).reverse() : Object.keys(contenders);
      for (const name of names) {
        const sample = await contenders[name].measure().catch((error) => ({ failed: error.message.split("\n")[0] }));
        samples.get(name).push(sample);
        say(`${at + 1} of ${pairs}, ${name}: ${JSON.stringify(sample)}`);
      }
    }
  } finally {
    for (const each of Object.values(contenders)) await each.close();
    await relay.close();
  }
  const [mine, theirs] = [...samples.values()];
  const number = (value) => value.toFixed(value < 10 ? 2 : 0);
  const byPair = (all, figure) => new Map(all.map((sample, at) => [at, sample[figure]]));
  const section = [
    "## Two browsers, directly",
    machine(contenders["mooring's extension"].version).map((line) => `- ${line}`).join("\n") + `\n- ${pairs} pairs`,
    ["| goal: ours / js-libp2p's, median of the pairs | | 95 % | kept |", "|---|---|---|---|", ...GOALS.map(({ figure, what, goal, kept }) => {
      const { median, interval: [low, high] } = ratios(byPair(mine, figure), byPair(theirs, figure));
      return `| ${what} ${goal} | ${median.toFixed(2)} | ${low.toFixed(2)} to ${high.toFixed(2)} | ${kept(median) ? "yes" : "no"} |`;
    })].join("\n"),
    ["| ms | min | median | max | failed |", "|---|---|---|---|---|", ...[...samples].flatMap(([name, all]) => GOALS.map(({ figure, what }) => {
      const { min, median, max } = spread(all.map((sample) => sample[figure]));
      return `| ${what}, ${name} | ${number(min)} | ${number(median)} | ${number(max)} | ${all.filter(({ failed }) => failed).length} |`;
    }))].join("\n"),
  ].join("\n\n");
  process.stdout.write(`${section}\n`);
  if (values.write) write(path.join(root, "docs/benchmarks.md"), "direct", section);
}

main().catch((error) => {
  process.stderr.write(`bench: ${error.stack ?? error}\n`);
  process.exitCode = 1;
});
