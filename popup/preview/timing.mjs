// How soon the popup is there, in Chromium: `cargo xtask popup-timing` builds a release and runs it.
//
//   node popup/preview/timing.mjs [--extension dist/chrome] [--count 30]
//
// Each round opens, one after the other and so under the same load: a bare text page of the extension, the popup in a tab,
// and the popup as the toolbar button opens it. It tells p50 and p95 of when each painted its first content, and of when
// the popup painted what the node says. No pass or fail: the figures go to docs/measurements/popup.md.
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { parseArgs } from "node:util";
import { launchChromium } from "../../tests/e2e/support/chromium.mjs";
import { until } from "../../tests/e2e/support/wait.mjs";

const { values } = parseArgs({
  options: {
    extension: { type: "string", default: "dist/chrome" },
    count: { type: "string", default: "30" },
  },
});
const count = Number(values.count);
if (!Number.isInteger(count) || count < 1) throw new Error(`--count must be a whole number from 1, not ${values.count}`);

const POPUP = "/popup.html";
const BARE = "manifest.json";

const paint = () => performance.getEntriesByName("first-contentful-paint")[0]?.startTime;
const shown = () => performance.getEntriesByName("mooring.shown")[0]?.startTime;

/** From a navigation's start to the first content. */
async function bare(chromium) {
  const page = await chromium.openOwn(BARE);
  const first = await until("the bare page's paint", () => page.evaluate(paint));
  await page.close();
  return { first };
}

/** From a navigation's start to the first content, and to what the node says. */
async function tab(chromium) {
  const page = await chromium.openOwn(POPUP.slice(1));
  const live = await until("what the node says", () => page.evaluate(shown));
  const first = await until("its first paint", () => page.evaluate(paint));
  await page.close();
  return { first, live };
}

/** From the click to the same; the browser's part of it is until the document's time begins. */
async function button(chromium, worker) {
  const opened = () => chromium.browser.targets().find((target) => target.url().endsWith(POPUP));
  const clicked = await worker.evaluate(() => {
    const now = performance.timeOrigin + performance.now();
    return chrome.action.openPopup().then(() => now);
  });
  const page = await (await until("the popup", opened)).asPage();
  const live = await until("what the node says", () => page.evaluate(shown));
  const first = await until("its first paint", () => page.evaluate(paint));
  const origin = await page.evaluate(() => performance.timeOrigin);
  await page.evaluate(() => window.close()).catch(() => undefined);
  await until("the popup to close", () => !opened());
  return { browser: origin - clicked, first, live };
}

const percentile = (numbers, share) => {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)];
};

const rows = {
  "a bare page of the extension, in a tab: first content": [],
  "the popup in a tab: first content": [],
  "the popup in a tab: what the node says": [],
  "the popup by its button: the browser, until the document begins": [],
  "the popup by its button: first content after that": [],
  "the popup by its button: what the node says after that": [],
};
const lists = Object.values(rows);

const chromium = await launchChromium({ extension: path.resolve(values.extension), args: ["--screen-info={1600x1200}"] });
try {
  await chromium.open("data:text/html,<title>a tab in front</title>");
  const worker = await chromium.worker();
  // The first openings fill the browser's caches, as a user's first one does; they are not counted.
  for (let round = -2; round < count; round += 1) {
    const { first } = await bare(chromium);
    const inTab = await tab(chromium);
    const byButton = await button(chromium, worker);
    if (round < 0) continue;
    const figures = [first, inTab.first, inTab.live, byButton.browser, byButton.first, byButton.live];
    lists.forEach((list, index) => list.push(figures[index]));
  }
  const version = await chromium.browser.version();
  const [load] = os.loadavg();
  console.log(`${version}, ${os.cpus().length} cores (${os.cpus()[0]?.model.trim()}), load ${load.toFixed(1)}, ${count} openings each; ms\n`);
  console.log("| | p50 | p95 | longest |\n|---|---|---|---|");
  for (const [name, list] of Object.entries(rows)) {
    const cells = [percentile(list, 0.5), percentile(list, 0.95), Math.max(...list)].map((ms) => ms.toFixed(0));
    console.log(`| ${name} | ${cells.join(" | ")} |`);
  }
  const bytes = ["popup.html", "popup.css", "popup.js", "mooring_popup_bg.wasm"].map((file) => fs.statSync(path.join(values.extension, file)).size);
  console.log(`\nThe popup's files: ${(bytes.reduce((sum, each) => sum + each) / 1000).toFixed(0)} kB.`);
} finally {
  await chromium.close();
}
