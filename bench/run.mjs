// The measuring itself: pairs, interleaved, in one browser.
import fs from "node:fs";
import path from "node:path";
import { root } from "../tests/e2e/support/binaries.mjs";
import { within } from "../tests/e2e/support/wait.mjs";
import { chromium, firefox, launch, openContender, serve } from "../tests/interop/support/probe.mjs";
import { DIAL } from "./figures.mjs";
import { start } from "./lanes.mjs";
import { load } from "./machine.mjs";
import { MEMORY, memory } from "./memory.mjs";
import { Samples } from "./report.mjs";
import { median } from "./stats.mjs";

/** One measurement; slower is failed. */
const LIMIT_MS = 10 * 60_000;
/** Memory needs no more rounds than show whether it is steady. */
const MEMORY_PAIRS = 3;
const WARM_UP_STREAMS = 20;

/**
 * Pages by kind, opened when they are first needed. Every lane of a kind uses the same one, warm, as an application
 * would be; one in which something failed is replaced.
 */
class Pages {
  #open = new Map();

  constructor(browser, site, say) {
    Object.assign(this, { browser, site, say });
  }

  async get(kind, address) {
    let page = this.#open.get(kind);
    if (!page) {
      page = await openContender(this.browser, this.site, kind);
      this.#open.set(kind, page);
      // What runs for the first time is compiled first. Upstream's page would be broken by it.
      if (kind !== "upstream") {
        await page.call("dial", address);
        await page.call("shortStreams", WARM_UP_STREAMS, 1, 1);
        await page.call("bulk", { up: 1_000_000, down: 1_000_000 });
        await page.call("hangUp");
      }
    }
    // A page behind another one is given less.
    await page.tab.bringToFront();
    return page;
  }

  async drop(kind) {
    const page = this.#open.get(kind);
    this.#open.delete(kind);
    await page?.close().catch(() => undefined);
  }
}

/** Another order each time, so that nobody always follows the same. */
function order(lanes, pair) {
  const turned = lanes.map((_, index) => lanes[(index + pair) % lanes.length]);
  return pair % 2 ? turned.reverse() : turned;
}

/**
 * @param {object} options as bench/browser.mjs makes them
 * @returns {Promise<{ samples: Samples, version: string }>}
 */
export async function run(options) {
  const { host, say } = options;
  const samples = new Samples();
  const raw = options.log ?? logFile(options);
  const remotes = await start(options.lanes, options.paths, host);
  const site = await serve(host);
  const running = await launch(options.browser === "firefox" ? firefox() : chromium());
  try {
    const version = await running.browser.version();
    const pages = new Pages(running.browser, site, say);
    for (const between of options.paths) {
      const scale = {
        bytes: Math.round(options.bytes * between.share),
        streams: Math.round(options.streams * between.share),
      };
      for (let pair = 0; pair < options.pairs; pair += 1) {
        const dials = new Map();
        const figures = options.figures.filter(({ id }) => wanted(id, pair, between, options));
        for (const figure of figures) {
          for (const lane of order(options.lanes, pair)) {
            say(`${between.name}, pair ${pair + 1} of ${options.pairs}, ${figure.id}, ${lane.name} (load ${load().toFixed(1)})`);
            const address = remotes.address(between, lane);
            try {
              const measuring = figure.id === MEMORY.id
                ? measureMemory(pages, running.browser, lane, address, remotes.pid(lane))
                : measure(pages, lane, address, figure, scale);
              const { dial, ...values } = await within(figure.id, LIMIT_MS, measuring);
              if (dial) dials.set(lane.name, [...(dials.get(lane.name) ?? []), dial]);
              for (const [part, value] of Object.entries(values)) samples.add(between.name, figure.id, part, lane.name, pair, value);
              raw({ path: between.name, pair, figure: figure.id, lane: lane.name, dial, ...values });
            } catch (error) {
              const reason = reasonOf(error);
              samples.fail(between.name, figure.id, lane.name, reason);
              raw({ path: between.name, pair, figure: figure.id, lane: lane.name, failed: reason });
              say(`failed: ${reason}`);
              await pages.drop(lane.kind);
            }
            // Its first ended stream leaves it broken.
            if (lane.kind === "upstream") await pages.drop(lane.kind);
          }
        }
        for (const [lane, times] of dials) samples.add(between.name, DIAL.id, "value", lane, pair, median(times));
      }
    }
    return { samples, version };
  } finally {
    await running.close();
    await site.close();
    await remotes.close();
  }
}

/** Memory is the same on every path, is not paired, and only Chromium says which processes are its pages'. */
function wanted(id, pair, between, { browser }) {
  if (id !== MEMORY.id) return true;
  return browser === "chrome" && between.delay === 0 && between.loss === 0 && pair < MEMORY_PAIRS;
}

async function measure(pages, lane, address, figure, scale) {
  const page = await pages.get(lane.kind, address);
  const dial = await page.timed("dial", address);
  const values = figure.measure ? await figure.measure(page, scale) : {};
  await page.call("hangUp");
  return { dial, ...values };
}

/** In a page of its own, that has nothing from before. */
async function measureMemory(pages, browser, lane, address, pid) {
  await pages.drop(lane.kind);
  const page = await pages.get(lane.kind, address);
  try {
    return await memory(browser, page, address, pid);
  } finally {
    await pages.drop(lane.kind);
  }
}

/** What went wrong, without where in which file and which stream. */
function reasonOf(error) {
  const [line = ""] = String(error?.message ?? error).split("\n");
  return line
    .replace(/^(Error|Evaluation failed): /, "")
    .replace(/stream \d+: /, "")
    .replace(/\/ip4\/\S+/, "…")
    .slice(0, 200);
}

const logOf = (browser) => path.join(root, "target/bench", `${browser}.jsonl`);

/** Every sample, one a line, is kept: tables can be made of them again. */
function logFile({ browser, bytes, streams }) {
  const file = logOf(browser);
  fs.mkdirSync(path.dirname(file), { recursive: true });
  const begun = new Date().toISOString();
  return (sample) => fs.appendFileSync(file, `${JSON.stringify({ begun, bytes, streams, ...sample })}\n`);
}

/** The samples of all runs of this size that are kept, this one's too; pairs are those of one run. */
export function joined({ browser, bytes, streams }) {
  const samples = new Samples();
  const pairs = new Set();
  const dials = new Map();
  for (const line of fs.readFileSync(logOf(browser), "utf8").split("\n").filter(Boolean)) {
    const { begun, pair, path: between, figure, lane, dial, failed, bytes: size, streams: count, ...values } = JSON.parse(line);
    if (size !== bytes || count !== streams) continue;
    const key = `${begun} ${pair}`;
    pairs.add(key);
    if (failed !== undefined) samples.fail(between, figure, lane, failed);
    for (const [part, value] of Object.entries(values)) samples.add(between, figure, part, lane, key, value);
    const measured = [between, lane, key].join("|");
    if (dial) dials.set(measured, { between, lane, key, times: [...(dials.get(measured)?.times ?? []), dial] });
  }
  for (const { between, lane, key, times } of dials.values()) samples.add(between, DIAL.id, "value", lane, key, median(times));
  return { samples, pairs: pairs.size };
}
