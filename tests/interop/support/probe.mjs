// Pages that dial: the transport probe (tests/transport), a wasm node with nothing but a WebRTC transport, and others.
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import puppeteer from "puppeteer-core";
import { ADDRESS } from "../../e2e/support/namespace.mjs";
import { chromiumBinary, firefoxBinary, root } from "../../e2e/support/binaries.mjs";
import { discard, scratch } from "../../e2e/support/scratch.mjs";
import { until } from "../../e2e/support/wait.mjs";

const packages = path.join(root, "target/pkg");
const modules = path.join(import.meta.dirname, "pages");
const types = { ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm" };

const wasm = (folder, name) => ({
  made: path.join(folder, `${name}_bg.wasm`),
  script: `
    import init, { Probe } from "/pkg/${folder}/${name}.js";
    import { create } from "/pages/wasm.mjs";
    window.wasm = await init({ module_or_path: "/pkg/${folder}/${name}_bg.wasm" });
    const level = new URLSearchParams(location.search).get("log") ?? "";
    window.probe = new Probe(level);
    window.contender = create(probe);
    window.another = () => create(new Probe(""));`,
});

/**
 * Who dials from a page. Each is the page's `contender`, with the same methods (pages/wasm.mjs shows them); `another()`
 * makes one more, a peer of its own.
 */
const kinds = {
  /** Our transport. */
  mooring: wasm("transport-probe", "mooring_transport_probe"),
  /** The same program with libp2p's own crate. */
  upstream: wasm("upstream-peer", "mooring_upstream_peer"),
  "js-libp2p": {
    made: "js-libp2p/page.js",
    script: `
      import { create } from "/pkg/js-libp2p/page.js";
      import { pattern } from "/pages/pattern.mjs";
      window.another = () => create(pattern);
      window.contender = await another();`,
  },
  /** js-libp2p that is reached over a relay. */
  "js-webrtc": {
    made: "js-libp2p/webrtc-page.js",
    script: `
      import { create } from "/pkg/js-libp2p/webrtc-page.js";
      window.contender = create();`,
  },
  /** Data channels alone. */
  raw: {
    script: `
      import { create } from "/pages/raw.mjs";
      import { pattern } from "/pages/pattern.mjs";
      window.another = () => create(pattern);
      window.contender = another();`,
  },
};

// Counts the page's peer connections, so that tests can see that none is left behind.
const page = (kind) => `<!doctype html><title>${kind}</title><link rel="icon" href="data:,"><script type="module">
  window.peerConnections = [];
  window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...values) {
      super(...values);
      peerConnections.push(new WeakRef(this));
    }
  };
</script><script type="module">${kinds[kind].script}</script>`;

/** The example's page, and what it loads: made with our crate, or with upstream's. */
const examples = { "browser-webrtc": "browser_webrtc_example", "browser-webrtc-upstream": "browser_webrtc_upstream" };

/** The file behind a path, wherever that is; undefined where there is none. */
function fileOf(pathname) {
  const [, area, ...rest] = pathname.split("/");
  const name = rest.at(-1);
  if (!types[path.extname(pathname)] || rest.includes("..")) return undefined;
  if (area === "pkg") return path.join(packages, ...rest);
  if (area === "pages") return path.join(modules, ...rest);
  if (!Object.hasOwn(examples, area)) return undefined;
  if (rest[0] !== "pkg") return path.join(root, "examples/browser-webrtc", ...rest);
  return path.join(packages, area, name === "browser_webrtc_example.js" ? `${examples[area]}.js` : name);
}

/** Serves the pages and what they load on a free port of the host. */
export async function serve(host) {
  const server = http.createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://probe");
    const kind = pathname.slice(1);
    if (Object.hasOwn(kinds, kind)) return response.setHeader("content-type", "text/html").end(page(kind));
    const file = fileOf(pathname);
    if (!file || !fs.existsSync(file)) return response.writeHead(404).end();
    response.setHeader("content-type", types[path.extname(file)]);
    fs.createReadStream(file).pipe(response);
  });
  await new Promise((done) => server.listen(0, host, done));
  return {
    url: (pathname) => `http://${host}:${server.address().port}/${pathname}`,
    close: () => {
      server.closeAllConnections();
      return new Promise((done) => server.close(done));
    },
  };
}

/** puppeteer's options for Chromium. */
export const chromium = (args = []) => ({
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
    // A renderer kept ready, which comes when it likes, would be counted as a page's memory.
    "--disable-features=SpareRendererForSitePerProcess",
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
    // Round trips take less than the millisecond that the clock is else rounded to.
    "privacy.reduceTimerPrecision": false,
    // A page served by plain HTTP to another address than 127.0.0.1 has else no crypto.subtle.
    "dom.securecontext.allowlist": ADDRESS,
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

/** A browser with a fresh profile, which goes with it. */
export async function launch(options = chromium([])) {
  const profile = scratch("probe");
  const browser = await puppeteer.launch({ userDataDir: profile, protocolTimeout: PROTOCOL_TIMEOUT, ...options });
  return {
    browser,
    close: async () => {
      await browser.close();
      discard(profile);
    },
  };
}

/** An endurance run may be a single call; the tests have limits of their own. */
const PROTOCOL_TIMEOUT = 3 * 60 * 60 * 1000;

/**
 * Opens a page that dials.
 * @param {object} browser puppeteer's
 * @param {object} site from `serve`
 * @param {keyof typeof kinds} kind
 */
export async function openContender(browser, site, kind) {
  const made = kinds[kind].made && path.join(packages, kinds[kind].made);
  if (made && !fs.existsSync(made)) {
    throw new Error(`no ${path.relative(root, made)}: \`cargo xtask build --pages\` makes it`);
  }
  const log = [];
  const tab = await browser.newPage();
  // A panic, or a closure called after it was freed, shows here and nowhere else.
  tab.on("pageerror", (error) => log.push(`page error: ${error?.stack ?? error}`));
  tab.on("console", (message) => log.push(`${message.type()}: ${message.text()}`));
  try {
    await tab.goto(site.url(`${kind}?log=${process.env.PROBE_LOG ?? ""}`));
    await tab.waitForFunction(() => window.contender, { timeout: 60_000 });
  } catch (error) {
    await tab.close();
    throw new Error(`the page of ${kind} did not start: ${log.join("\n")}`, { cause: error });
  }
  return {
    kind,
    tab,
    log,
    errors: () => log.filter((line) => /^(page error|error)/.test(line)),
    /** Calls a method of the contender, and answers what it resolves to. */
    call: (name, ...values) =>
      tab.evaluate((name, values) => window.contender[name](...values), name, values),
    /** The same; resolves to the milliseconds that it took, as the page's clock has it. */
    timed: (name, ...values) =>
      tab.evaluate(
        async (name, values) => {
          const begun = performance.now();
          await window.contender[name](...values);
          return performance.now() - begun;
        },
        name,
        values,
      ),
    /** Peer connections that are not closed. */
    open: () =>
      tab.evaluate(
        () => window.peerConnections.filter((each) => (each.deref()?.connectionState ?? "closed") !== "closed").length,
      ),
    close: () => tab.close(),
  };
}

/**
 * A page with a wasm node in it, in a browser of its own.
 * @param {object} [options]
 * @param {"mooring" | "upstream"} [options.kind]
 * @param {string[]} [options.args] further flags for Chromium
 * @param {object} [options.launch] puppeteer's options, for another browser
 * @param {string} [options.host] where the page is served
 */
export async function openProbe({ kind = "mooring", args = [], launch: options = chromium(args), host = "127.0.0.1" } = {}) {
  const site = await serve(host);
  const running = await launch(options);
  const close = async () => {
    await running.close();
    await site.close();
  };
  try {
    const contender = await openContender(running.browser, site, kind);
    const call = (name, ...values) =>
      contender.tab.evaluate((name, values) => window.probe[name](...values), name, values);
    return {
      ...contender,
      dial: (address) => call("dial", address),
      echo: (peer, count, atOnce, bytes) => call("echo", peer, count, atOnce, bytes),
      unflushed: (peer, rounds) => call("unflushed", peer, rounds),
      bulk: (peer, order) => call("bulk", peer, order),
      disconnect: (peer) => call("disconnect", peer),
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
    throw error;
  }
}
