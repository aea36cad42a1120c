// The measuring of `cargo xtask bench --page`: Chromium with the packaged extension, and one that does nothing but echo.
import path from "node:path";
import { root } from "../tests/e2e/support/binaries.mjs";
import { launchChromium } from "../tests/e2e/support/chromium.mjs";
import { available, call } from "../tests/e2e/support/page.mjs";
import { allowed, dial, echoes, PERMISSIONS } from "../tests/e2e/support/scenarios.mjs";
import { startServer } from "../tests/e2e/support/server.mjs";
import { startSite } from "../tests/e2e/support/site.mjs";
import { until } from "../tests/e2e/support/wait.mjs";
import { serve } from "../tests/interop/support/probe.mjs";
import { collectGarbage, ofProcesses } from "./memory.mjs";
import { insideHost, noteWhenParsed, pingAtOnce, pingWhenStarted, roundTrips, transfer } from "./page-lanes.mjs";
import { median, quantile } from "./stats.mjs";

const PERF = "/perf/1.0.0";
const GRANTS = [...PERMISSIONS.filter(({ name }) => name !== "streams"), { name: "streams", protocols: ["/mooring/echo/1.0.0", PERF] }];
/** Of a pair: each is the mean of ten round trips. */
const SAMPLES = 20;
/** Of which the 95th percentile is one pair's figure. */
const NAVIGATIONS = 10;
/** How long a page is waited for, in milliseconds, and how often js-libp2p's is opened. */
const ANSWER_WAIT = 20_000;
const TRIES = 3;
/** Tabs that are opened for one look at the memory. */
const MEMORY_TABS = 5;
const MEMORY_PAIRS = 5;
/** Loopback as any other, but no origin that the extension serves. */
const BARE = "127.0.0.2";
/** The browser resolves nothing else. */
const RESOLVED = ["localhost", "127.0.0.1", BARE, "::1"].map((host) => `EXCLUDE ${host}`).join(", ");

/** In pairs, and in another order each time; the medians and the ratios of the pairs. */
async function paired(pairs, ours, theirs, say) {
  const mine = [];
  const others = [];
  for (let at = 0; at < pairs; at += 1) {
    const both = [async () => mine.push(await ours()), async () => others.push(await theirs())];
    for (const one of at % 2 ? both.reverse() : both) await one();
    say(`${at + 1} of ${pairs}: ${mine.at(-1).toFixed(2)}, ${others.at(-1).toFixed(2)}`);
  }
  return { ratios: mine.map((value, at) => value / others[at]), ours: median(mine), theirs: median(others) };
}

const most = (limit) => (value) => value <= limit;

/** How soon the node answers, over the Port, over a MessagePort, and beside many tabs. */
async function answers({ launched, site, page, server }, { pairs, tabs, say }) {
  const p50 = (way) => async () => median(await page.evaluate(roundTrips, way, SAMPLES));
  await page.bringToFront();
  say("node.status over the Port, and a bare echo");
  const port = await paired(pairs, p50("status"), p50("port"), say);
  await echoes(page, server.peer, [1, 1024 * 1024]);
  await until("the document to have moved", async () => (await page.evaluate(() => document.documentElement.querySelectorAll("div, iframe").length)) === 0);
  say("node.status over the MessagePort, and a bare echo");
  const bridge = await paired(pairs, p50("status"), p50("bridge"), say);
  const others = [];
  for (let at = 1; at < tabs; at += 1) {
    const other = await launched.open(site.url());
    await available(other);
    others.push(other);
  }
  await page.bringToFront();
  say(`the same with ${tabs} tabs`);
  const crowded = await paired(pairs, p50("status"), p50("bridge"), say);
  await Promise.all(others.map((other) => other.close()));
  const unit = "ms";
  return [
    { what: "`node.status`, p50 / bare Port echo", goal: "≤ 1.5", kept: most(1.5), unit, ...port },
    { what: "`node.status`, p50 / bare MessagePort echo", goal: "≤ 1.5", kept: most(1.5), unit, ...bridge },
    {
      what: `the same with ${tabs} tabs / bare MessagePort echo with one`, goal: "≤ 2", kept: most(2), unit,
      ours: crowded.ours, theirs: bridge.theirs, ratios: crowded.ratios.map((ratio) => (ratio * crowded.theirs) / bridge.theirs),
    },
  ];
}

/** Transfers of the page, and the same inside the host document. */
async function throughput({ launched, site, page, server }, { pairs, bytes, say }) {
  const host = await launched.host();
  await host.evaluate(insideHost, site.origin);
  const rows = [];
  for (const [what, order] of [["page to remote", { up: bytes, down: 0 }], ["remote to page", { up: 0, down: bytes }]]) {
    say(`${what}, and inside the host; MB/s`);
    const rate = (where) => async () => bytes / 1000 / (await where.evaluate(transfer, server.peer, PERF, order));
    await rate(page)();
    await rate(host)();
    rows.push({
      what: `${what} / the same inside the host`, goal: "≥ 0.9", kept: (value) => value >= 0.9, unit: "MB/s",
      ...(await paired(pairs, rate(page), rate(host), say)),
    });
  }
  return rows;
}

/** From the navigation of a tab to the answer of its first ping. */
async function secondTab({ launched, site, server }, { pairs, say }) {
  const pages = await serve("127.0.0.1");
  const bare = await startSite(BARE);
  const once = async (script, argument, url) => {
    const tab = await launched.browser.newPage();
    try {
      await tab.evaluateOnNewDocument(script, argument);
      await tab.goto(url);
      const ended = () => (window.failed ? { failed: window.failed } : window.pinged && { took: window.pinged });
      const handle = await tab.waitForFunction(ended, { timeout: ANSWER_WAIT, polling: 50 });
      const { failed, took } = await handle.jsonValue();
      if (failed) throw new Error(failed);
      return took;
    } finally {
      await tab.close();
    }
  };
  // js-libp2p's page does not always get through; what it takes when it does is what counts, and ours may not fail at all.
  const again = async (...what) => {
    for (let left = TRIES; ; left -= 1) {
      try {
        return await once(...what);
      } catch (error) {
        if (left === 1) throw error;
        say(`a page did not get through and is opened again: ${error.message}`);
      }
    }
  };
  const p95 = (open, ...what) => async () => {
    const times = [];
    for (let at = 0; at < NAVIGATIONS; at += 1) times.push(await open(...what));
    return quantile(times, 0.95);
  };
  try {
    say("a tab's first ping, and that of one with js-libp2p");
    const cold = p95(again, pingWhenStarted, server.address, pages.url("js-libp2p"));
    const found = await paired(pairs, p95(once, pingAtOnce, server.peer, site.url()), cold, say);
    say("a page that does nothing, without the extension, and one with js-libp2p");
    const empty = await paired(pairs, p95(once, noteWhenParsed, undefined, bare.url()), cold, say);
    const unit = "ms";
    return [
      { what: "second tab, navigation to first ping, p95 / js-libp2p's cold start", goal: "≤ 0.2", kept: most(0.2), unit, ...found },
      { what: "the browser's part of it: an empty page until it is parsed, p95 / js-libp2p's cold start", goal: "", unit, ...empty },
    ];
  } finally {
    await bare.close();
    await pages.close();
  }
}

/** What all processes of the browser hold, in MiB, when the garbage of these pages is collected. */
async function mebibytes(launched, pages) {
  for (const page of [...pages, await launched.host()]) await collectGarbage(page);
  return (await ofProcesses(launched.browser)) / 1024;
}

/** Of one more tab that uses the API, and of one whose origin gets no content script. */
async function memory({ launched, site, server, pairs, say }) {
  const bare = await startSite(BARE);
  const perTab = (url, use) => async () => {
    const before = await mebibytes(launched, []);
    const tabs = [];
    for (let at = 0; at < MEMORY_TABS; at += 1) {
      const tab = await launched.open(url);
      tabs.push(tab);
      if (use) await use(tab);
    }
    const after = await mebibytes(launched, tabs);
    await Promise.all(tabs.map((tab) => tab.close()));
    return (after - before) / MEMORY_TABS;
  };
  const uses = async (tab) => {
    await available(tab);
    await call(tab, "node.status");
    await call(tab, "peers.ping", { peer: server.peer });
  };
  try {
    say("memory of a tab that uses the API, and of one that does not; MiB");
    await perTab(site.url(), uses)();
    await perTab(bare.url())();
    const { ours, theirs, ...found } = await pairedDifference(pairs, perTab(site.url(), uses), perTab(bare.url()), say);
    return [{ what: "memory of one more tab with the API − without", goal: "≤ 2 MiB", kept: most(2), unit: "MiB", ours, theirs, ...found }];
  } finally {
    await bare.close();
  }
}

async function pairedDifference(pairs, ours, theirs, say) {
  const differences = [];
  const found = await paired(pairs, async () => {
    const value = await ours();
    differences.push(value);
    return value;
  }, async () => {
    const value = await theirs();
    differences.push(-value);
    return value;
  }, say);
  const ratios = Array.from({ length: pairs }, (_, at) => differences[2 * at] + differences[2 * at + 1]);
  return { ...found, ratios };
}

/** A browser with a page that may all that is measured, connected to a server; then everything gone. */
async function together(work, { echo = false } = {}) {
  const running = [];
  try {
    const server = await startServer();
    running.push(server);
    const site = await startSite();
    running.push(site);
    const launched = await launchChromium({ args: [`--host-resolver-rules=MAP * ~NOTFOUND, ${RESOLVED}`] });
    running.push(launched);
    if (echo) {
      await launched.browser.installExtension(path.join(root, "bench/echo"));
      await until("the document that echoes", () => launched.browser.targets().some((target) => target.url().endsWith("/echo.html")));
    }
    const page = await allowed(launched, site, GRANTS, { duration: "session" });
    await dial(page, server);
    return await work({ server, site, launched, page });
  } finally {
    for (const each of running.reverse()) await each.close();
  }
}

/** @returns {Promise<{ version: string, rows: object[] }>} rows as bench/page.mjs shows them */
export async function measure(options) {
  const { pairs, say } = options;
  const { version, rows } = await together(async (all) => ({
    version: await all.launched.browser.version(),
    rows: [...await answers(all, options), ...await throughput(all, options)],
  }), { echo: true });
  // Without the echoing extension, which would be in every tab too.
  rows.push(...await together(async (all) => [
    ...await secondTab(all, { pairs: Math.ceil(pairs / 3), say }),
    ...await memory({ ...all, pairs: Math.min(pairs, MEMORY_PAIRS), say }),
  ]));
  return { version, rows };
}
