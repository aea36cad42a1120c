// The transport probe (tests/transport) in a browser page: a wasm node with nothing but our WebRTC transport.
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import puppeteer from "puppeteer-core";
import { chromiumBinary, firefoxBinary, root } from "../../e2e/support/binaries.mjs";
import { discard, scratch } from "../../e2e/support/scratch.mjs";
import { until } from "../../e2e/support/wait.mjs";

const folder = path.join(root, "target/pkg/transport-probe");
const types = { ".js": "text/javascript", ".wasm": "application/wasm" };

// Counts the page's peer connections, so that tests can see that none is left behind.
const page = `<!doctype html><title>transport probe</title><link rel="icon" href="data:,"><script type="module">
  window.peerConnections = [];
  window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...values) {
      super(...values);
      peerConnections.push(this);
    }
  };
  import init, { Probe } from "/mooring_transport_probe.js";
  await init({ module_or_path: "/mooring_transport_probe_bg.wasm" });
  const level = new URLSearchParams(location.search).get("log") ?? "";
  window.start = () => (window.probe = new Probe(level));
  start();
</script>`;

/** Serves the page and the wasm on a free port of the host. */
async function serve(host) {
  if (!fs.existsSync(path.join(folder, "mooring_transport_probe_bg.wasm"))) {
    throw new Error("no transport probe: run `cargo xtask test --only interop`, which builds it");
  }
  const server = http.createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://probe");
    const file = path.join(folder, path.basename(pathname));
    if (pathname === "/") return response.setHeader("content-type", "text/html").end(page);
    const type = types[path.extname(file)];
    if (!type || !fs.existsSync(file)) return response.writeHead(404).end();
    response.setHeader("content-type", type);
    fs.createReadStream(file).pipe(response);
  });
  await new Promise((done) => server.listen(0, host, done));
  return server;
}

const chromium = (args) => ({
  browser: "chrome",
  executablePath: chromiumBinary(),
  headless: true,
  pipe: true,
  args: [
    "--no-first-run",
    "--no-pings",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-sync",
    ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []),
    ...args,
  ],
});

/** puppeteer's options for Firefox. */
export const firefox = () => ({
  browser: "firefox",
  executablePath: firefoxBinary(),
  headless: true,
  extraPrefsFirefox: {
    // Nothing talks to the Internet by itself.
    "app.normandy.enabled": false,
    "app.update.enabled": false,
    "browser.safebrowsing.malware.enabled": false,
    "browser.safebrowsing.phishing.enabled": false,
    "datareporting.policy.dataSubmissionEnabled": false,
    "extensions.getAddons.cache.enabled": false,
    "extensions.systemAddon.update.enabled": false,
    "extensions.update.enabled": false,
    "network.captive-portal-service.enabled": false,
    "network.connectivity-service.enabled": false,
    "network.dns.disablePrefetch": true,
    "toolkit.telemetry.enabled": false,
  },
});

/**
 * A page with a node in it.
 * @param {object} [options]
 * @param {string[]} [options.args] further flags for Chromium
 * @param {object} [options.launch] puppeteer's options, for another browser
 * @param {string} [options.host] where the page is served
 */
export async function openProbe({ args = [], launch = chromium(args), host = "127.0.0.1" } = {}) {
  const profile = scratch("probe");
  const server = await serve(host);
  const browser = await puppeteer.launch({ userDataDir: profile, ...launch });
  const log = [];
  const close = async () => {
    await browser.close();
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
    discard(profile);
  };
  try {
    const tab = await browser.newPage();
    // A panic, or a closure called after it was freed, shows here and nowhere else.
    tab.on("pageerror", (error) => log.push(`page error: ${error.stack ?? error}`));
    tab.on("console", (message) => log.push(`${message.type()}: ${message.text()}`));
    await tab.goto(`http://${host}:${server.address().port}/?log=${process.env.PROBE_LOG ?? ""}`);
    await tab.waitForFunction(() => window.probe, { timeout: 60_000 });
    const call = (name, ...values) =>
      tab.evaluate((name, values) => window.probe[name](...values), name, values);
    return {
      tab,
      log,
      errors: () => log.filter((line) => /^(page error|error)/.test(line)),
      dial: (address) => call("dial", address),
      echo: (peer, count, atOnce, bytes) => call("echo", peer, count, atOnce, bytes),
      disconnect: (peer) => call("disconnect", peer),
      /** Peer connections that are not closed. */
      open: () => tab.evaluate(() => window.peerConnections.filter((each) => each.connectionState !== "closed").length),
      seen: () => call("seen"),
      seenUntil: (what, test, limit) =>
        until(what, async () => {
          const seen = await call("seen");
          if (!test(seen)) throw new Error(`so far it has seen ${JSON.stringify(seen)}`);
          return seen;
        }, limit),
      close,
    };
  } catch (error) {
    await close();
    throw new Error(`the probe did not start: ${log.join("\n")}`, { cause: error });
  }
}
