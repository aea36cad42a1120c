// Pictures of the popup in each of its states, without a node:
//
//   node popup/preview/screenshots.mjs [--dist dist/chrome] [--out target/popup-preview] [scenario…]
//
// It takes the built popup as it ships (`cargo xtask build` first), under the CSP that it ships with, and puts a
// stand-in for the browser's extension API beneath it. Chromium is found by CHROMIUM, or where Debian has it.
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import { parseArgs } from "node:util";
import puppeteer from "puppeteer-core";
import { scenarios } from "./scenarios.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    dist: { type: "string", default: "dist/chrome" },
    out: { type: "string", default: "target/popup-preview" },
  },
});

const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".wasm": "application/wasm" };
const csp = JSON.parse(fs.readFileSync(path.join(values.dist, "manifest.json"), "utf8")).content_security_policy.extension_pages;

const server = http.createServer((request, response) => {
  const name = path.basename(new URL(request.url, "http://localhost").pathname);
  const file = path.join(values.dist, name);
  const type = TYPES[path.extname(name)];
  if (!type || !fs.existsSync(file)) {
    // An extension's page has no favicon to ask for.
    response.writeHead(name === "favicon.ico" ? 204 : 404).end();
    return;
  }
  response.writeHead(200, { "content-type": type, "content-security-policy": csp });
  fs.createReadStream(file).pipe(response);
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const { port } = server.address();

/** Stands in for `chrome.runtime`; runs in the page, before anything else does. */
function standIn({ say, answer, remembered }) {
  if (remembered) {
    localStorage.setItem("mooring.popup", JSON.stringify({ last: remembered }));
  }
  const listeners = () => {
    const all = [];
    return { addListener: (listener) => all.push(listener), tell: (...what) => all.forEach((listener) => listener(...what)) };
  };
  globalThis.chrome ??= {};
  globalThis.chrome.runtime = {
    connect() {
      const onMessage = listeners();
      const onDisconnect = listeners();
      setTimeout(() => (say ? onMessage.tell(say) : onDisconnect.tell()));
      return {
        onMessage,
        onDisconnect,
        postMessage({ id }) {
          setTimeout(() => onMessage.tell({ t: "done", id, ...(answer && { error: answer }) }), 20);
        },
      };
    },
    sendMessage: async () => ({ ok: false }),
    reload: () => location.reload(),
  };
}

const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/lib/chromium/chromium",
  args: ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--no-first-run"],
});
let wrong = 0;
try {
  fs.mkdirSync(values.out, { recursive: true });
  const wanted = positionals.length > 0 ? positionals : Object.keys(scenarios);
  for (const name of wanted) {
    const { size = { width: 400, height: 580 }, dark = false, scripts = true, act, ...rest } = scenarios[name];
    const context = await browser.createBrowserContext();
    const page = await context.newPage();
    const complain = (what) => {
      wrong += 1;
      console.error(`${name}: ${what}`);
    };
    page.on("pageerror", (error) => complain(error.message));
    page.on("console", (message) => {
      if (["error", "warn"].includes(message.type())) complain(message.text());
    });
    await page.setJavaScriptEnabled(scripts);
    await page.setViewport({ ...size, deviceScaleFactor: 2 });
    await page.emulateMediaFeatures([
      { name: "prefers-color-scheme", value: dark ? "dark" : "light" },
      { name: "prefers-reduced-motion", value: "reduce" },
    ]);
    await page.evaluateOnNewDocument(standIn, rest);
    await page.goto(`http://127.0.0.1:${port}/popup.html`);
    if (scripts) {
      await page.waitForSelector('[data-testid="pause"]');
      if (rest.say) await page.waitForFunction(() => document.querySelector(".version")?.textContent);
      await act?.(page);
      // Two frames: what the last message changed is on the page then.
      await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
    }
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    if (wide > 0) complain(`${wide} px wider than the page`);
    await page.screenshot({ path: path.join(values.out, `${name}.png`) });
    const paint = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime);
    console.log(`${name}: first content after ${paint?.toFixed(0) ?? "?"} ms`);
    await context.close();
  }
} finally {
  await browser.close();
  server.close();
}
process.exitCode = wrong > 0 ? 1 : 0;
