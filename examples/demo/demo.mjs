// Opens the demo page in a browser that has the extension, and in headless mode drives it:
//
//   node demo.mjs --browser chrome|firefox --extension <folder> (--server <multiaddr> | --server-program <file>)
//                 [--headless --count <N>]
//
// Headless it prints N round trips, one `… ms` a line, and exits 0; a ping that fails ends it with the reason and 1.
// With --server-program it starts the server itself: Firefox does no WebRTC to 127.0.0.1, so headless on Linux both then
// run in a network namespace with an address of its own.
import path from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { launchChromium } from "../../tests/e2e/support/chromium.mjs";
import { launchFirefox } from "../../tests/e2e/support/firefox.mjs";
import { enterNamespace } from "../../tests/e2e/support/namespace.mjs";
import { answerPrompt } from "../../tests/e2e/support/prompt.mjs";
import { startServer } from "../../tests/e2e/support/server.mjs";
import { until } from "../../tests/e2e/support/wait.mjs";
import { reachable } from "../reachable.mjs";
import { serve } from "../serve.mjs";

/** Between two pings when nobody watches. */
const HEADLESS_EVERY = 20;
/** Allowing, dialing and the first ping; then each further one. Milliseconds. */
const FIRST_PING = 60_000;
const NEXT_PING = 15_000;

function options() {
  const { values } = parseArgs({
    options: {
      browser: { type: "string", default: "chrome" },
      firefox: { type: "boolean", default: false },
      extension: { type: "string" },
      server: { type: "string" },
      "server-program": { type: "string" },
      headless: { type: "boolean", default: false },
      count: { type: "string", default: "5" },
    },
  });
  const browser = values.firefox ? "firefox" : values.browser;
  if (!["chrome", "firefox"].includes(browser)) throw new Error(`unknown browser ${browser}: chrome or firefox`);
  if (!values.server && !values["server-program"]) throw new Error("--server or --server-program is missing");
  const count = Number(values.count);
  if (!Number.isInteger(count) || count < 1) throw new Error(`--count must be a whole number from 1, not ${values.count}`);
  return { ...values, browser, count };
}

/** Allows what the page asks, and prints each round trip as it comes. */
async function drive(launched, page, count) {
  await answerPrompt(launched, "allow");
  for (let printed = 0; printed < count; ) {
    const limit = printed === 0 ? FIRST_PING : NEXT_PING;
    const { pings, error } = await until(
      `ping ${printed + 1}`,
      () =>
        page.evaluate((printed) => {
          const { pings, error } = window.demo;
          return (pings.length > printed || error) && { pings: pings.slice(printed), error };
        }, printed),
      limit,
    );
    if (error) throw new Error(error);
    for (const rtt of pings.slice(0, count - printed)) process.stdout.write(`${rtt.toFixed(1)} ms\n`);
    printed += pings.length;
  }
}

/** A person answers, looks, and closes the browser. */
async function watched(launched, url) {
  const lines = [
    `the page:   ${url.origin}${url.pathname}`,
    `its server: ${url.searchParams.get("server")}`,
    "Answer the window that asks for permission. Close the browser, or press Ctrl-C here, to end.",
  ];
  for (const line of lines) process.stderr.write(`  - ${line}\n`);
  await new Promise((closed) => launched.browser.once("disconnected", closed));
}

async function main() {
  const { browser, extension, headless, count, ...given } = options();
  const own = given["server-program"];
  const apart = own && browser === "firefox" && headless && process.platform === "linux";
  const host = apart ? enterNamespace() : browser === "firefox" ? "0.0.0.0" : "127.0.0.1";
  if (own) process.env.MOORING_SERVER = path.resolve(own);
  const server = own ? await startServer({ host }) : undefined;
  const site = await serve("demo");
  let launched;
  try {
    const launch = browser === "firefox" ? launchFirefox : launchChromium;
    launched = await launch({ headless, ...(extension && { extension: path.resolve(extension) }) });
    const url = new URL(site.url);
    url.searchParams.set("server", given.server ?? reachable(server, browser));
    if (headless) url.searchParams.set("every", String(HEADLESS_EVERY));
    const page = await launched.open(url.href);
    if (headless) await drive(launched, page, count);
    else await watched(launched, url);
  } finally {
    await launched?.close().catch(() => undefined);
    await site.close();
    await server?.close();
  }
}

main().catch((error) => {
  const cause = error.cause instanceof Error ? `: ${error.cause.message}` : "";
  process.stderr.write(`demo: ${error.message}${cause}\n`);
  process.exitCode = 1;
});
