// The pictures in docs/images, taken anew from a browser that does the real thing: `cargo xtask screenshots` runs it.
//
//   node pictures.mjs --extension <folder> --server-program <file> [--out docs/images] [--aside target/pictures]
//
// The demo page pings a server; a second one is dialed by hand from the popup. Everything that is to be seen is what the
// node said, so ports, peer ids and times differ from one run to the next.
import fs from "node:fs";
import path from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { launchChromium } from "../../tests/e2e/support/chromium.mjs";
import { answerPrompt } from "../../tests/e2e/support/prompt.mjs";
import { startServer } from "../../tests/e2e/support/server.mjs";
import { until, within } from "../../tests/e2e/support/wait.mjs";
import { serve } from "../serve.mjs";

const { values } = parseArgs({
  options: {
    extension: { type: "string", default: "dist/chrome" },
    "server-program": { type: "string" },
    out: { type: "string", default: "docs/images" },
    aside: { type: "string", default: "target/pictures" },
  },
});

/** The popup's size in Chromium, CSS pixels; and how many of the screen's pixels make one. */
const POPUP = { width: 400, height: 580, deviceScaleFactor: 2 };
const PROMPT = { width: 440, height: 620, deviceScaleFactor: 2 };
const DEMO = { width: 1100, height: 800, deviceScaleFactor: 1 };
/** Pings on the graph: it shows the last 90. */
const PINGS = 95;
const EVERY = 100;
/** For the first ping, with the dial before it; for all the others, some ten times what they need; and for two frames. Milliseconds. */
const FIRST_PING = 30_000;
const ALL_PINGS = 100_000;
const FRAMES = 10_000;

const by = (id) => `[data-testid="${id}"]`;

/** A page behind another has timers of 1 Hz and no frames at all. */
async function bringToFront(page) {
  await page.bringToFront();
  await until(`${page.url()} to be in front`, () => page.evaluate(() => document.visibilityState === "visible"));
}

/** Waits until the page has that many round trips; what it says went wrong ends the wait. */
async function pings(page, least, limit) {
  const last = { error: null, pings: 0 };
  const enough = async () => {
    Object.assign(last, await page.evaluate(() => ({ error: window.demo.error, pings: window.demo.pings.length })));
    return last.error !== null || last.pings >= least;
  };
  await until(`${least} pings`, enough, limit).catch((cause) => {
    throw new Error(`${cause.message}: the page has ${last.pings}`, { cause });
  });
  if (last.error !== null) throw new Error(`the demo page says: ${last.error}`);
}

async function shoot(page, name, { dark = false, fullPage = false, out = values.out } = {}) {
  await bringToFront(page);
  await page.emulateMediaFeatures([
    { name: "prefers-color-scheme", value: dark ? "dark" : "light" },
    { name: "prefers-reduced-motion", value: "reduce" },
  ]);
  // Two frames: what changed is on the page then.
  await within(
    `${name} to be painted`,
    FRAMES,
    page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))),
  );
  fs.mkdirSync(out, { recursive: true });
  const file = path.join(out, `${name}.png`);
  await page.screenshot({ path: file, fullPage });
  console.log(file);
}

async function dialByHand(popup, address) {
  await popup.type(by("dial-input"), address);
  await popup.keyboard.press("Enter");
  await popup.waitForSelector(by("dial-done"));
  // "Connected." goes when something else is typed, and the picture is of a popup that was just opened.
  await popup.type(by("dial-input"), " ");
  await popup.keyboard.press("Backspace");
}

if (values["server-program"]) process.env.MOORING_SERVER = path.resolve(values["server-program"]);
const servers = [await startServer(), await startServer()];
const site = await serve("demo");
const chromium = await launchChromium({ extension: path.resolve(values.extension), args: ["--screen-info={1600x1200}"] });
try {
  const url = new URL(site.url);
  url.searchParams.set("server", servers[0].address);
  url.searchParams.set("every", String(EVERY));
  const demo = await chromium.open(url.href);
  await demo.setViewport(DEMO);
  await answerPrompt(chromium, "allow", {
    before: async (prompt) => {
      await prompt.setViewport(PROMPT);
      await shoot(prompt, "prompt");
    },
  });
  await bringToFront(demo);
  await pings(demo, 1, FIRST_PING);
  await pings(demo, PINGS, ALL_PINGS);
  await shoot(demo, "demo", { fullPage: true });

  const popup = await chromium.openOwn("popup.html");
  await popup.setViewport(POPUP);
  await popup.waitForSelector(`${by("status")}[data-state="online"]`);
  await dialByHand(popup, servers[1].address);
  await until("two round trips", () =>
    popup.$$eval(by("rtt"), (cells) => cells.length === 2 && cells.every((cell) => cell.textContent.endsWith(" ms"))),
  );
  await until("both peers' names", () =>
    popup.$$eval(".agent", (cells) => cells.length === 2 && cells.every((cell) => cell.textContent !== "")),
  );
  await popup.evaluate(() => document.activeElement?.blur());
  await shoot(popup, "popup");
  // Not in the documentation, but to be looked at as well.
  await shoot(popup, "popup-dark", { dark: true, out: values.aside });
  await popup.click(`${by("settings")} summary`);
  for (const dark of [false, true]) {
    await popup.$eval("main", (main) => main.scrollTo(0, main.scrollHeight));
    await shoot(popup, dark ? "popup-settings-dark" : "popup-settings", { dark, out: values.aside });
  }
} finally {
  await chromium.close();
  await site.close();
  await Promise.all(servers.map((server) => server.close()));
}
