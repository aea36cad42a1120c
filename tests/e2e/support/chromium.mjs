// Chromium with the packaged extension, and with everything off that would talk to the Internet by itself.
import puppeteer from "puppeteer-core";
import { chromiumBinary, extensionDir } from "./binaries.mjs";
import { discard, scratch } from "./scratch.mjs";
import { until } from "./wait.mjs";

const quiet = [
  "--no-first-run",
  "--no-pings",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-domain-reliability",
  "--disable-sync",
  "--disable-default-apps",
  "--disable-features=OptimizationHints,MediaRouter,Translate,DialMediaRouteProvider",
];

/** Where the browser itself calls now and then, whatever it is told: also where all other names lead somewhere, these lead nowhere. */
const OWN = ["*.google.com", "*.googleapis.com"].map((name) => `MAP ${name} ~NOTFOUND, `).join("");

/** Names are not resolved at all, since pages under test are on loopback, but for these, which lead there too. */
const resolver = (names) =>
  `--host-resolver-rules=${OWN}${names.map((name) => `MAP ${name} 127.0.0.1, `).join("")}MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1, EXCLUDE ::1`;

/**
 * @param {object} options
 * @param {string} [options.profile] kept by the caller; else a fresh one that goes with the browser
 * @param {string[]} [options.args]
 * @param {boolean} [options.headless]
 * @param {boolean} [options.attachWorker] DevTools on the service worker keeps it alive: off for tests of its life
 * @param {string} [options.extension] the folder of the extension
 * @param {string} [options.executable] instead of the browser that is there
 * @param {boolean} [options.acceptInsecureCerts] certificates that nobody vouches for
 * @param {string[]} [options.names] names that lead to 127.0.0.1
 */
export async function launchChromium(options = {}) {
  const { args = [], headless = true, attachWorker = true, extension = extensionDir("chrome"), executable = chromiumBinary() } = options;
  const { acceptInsecureCerts = false, names = [] } = options;
  const profile = options.profile ?? scratch("chromium");
  const browser = await puppeteer.launch({
    browser: "chrome",
    executablePath: executable,
    headless,
    pipe: true,
    enableExtensions: [extension],
    userDataDir: profile,
    defaultViewport: null,
    acceptInsecureCerts,
    args: [...quiet, resolver(names), ...(process.getuid?.() === 0 ? ["--no-sandbox"] : []), ...args],
    ...(attachWorker ? {} : { targetFilter: (target) => target.type() !== "service_worker" }),
  });
  const hostTarget = () => browser.targets().find((target) => target.url().endsWith("/host.html"));
  await until("the host document", hostTarget);
  const origin = new URL(hostTarget().url()).origin.replace("null", "");
  const id = new URL(hostTarget().url()).host;
  return {
    kind: "chromium",
    browser,
    id,
    origin: origin || `chrome-extension://${id}`,
    hostTarget,
    /** The offscreen document, to evaluate in. */
    host: async () => (await until("the host document", hostTarget)).asPage(),
    worker: async () => {
      const target = await until("the service worker", () =>
        browser.targets().find((each) => each.type() === "service_worker" && each.url().includes(id)),
      );
      return target.worker();
    },
    open: async (url) => {
      const page = await browser.newPage();
      await page.goto(url);
      return page;
    },
    /** Opens an extension page, such as `popup.html`, in a tab. */
    openOwn: async (file) => {
      const page = await browser.newPage();
      await page.goto(`chrome-extension://${id}/${file}`);
      return page;
    },
    /** The next prompt window. */
    prompt: async (limit) => {
      const target = await until(
        "a prompt window",
        () => browser.targets().find((each) => each.url().includes(`${id}/prompt.html`)),
        limit,
      );
      return target.asPage();
    },
    /** The addresses of those that are open; each is another. */
    promptsOpen: () => Promise.resolve(browser.targets().map((each) => each.url()).filter((url) => url.includes(`${id}/prompt.html`))),
    /** As an update or a developer's reload does it. `runtime.reload()` does not come back without developer mode. */
    reload: () => browser.installExtension(extension),
    close: async () => {
      await browser.close();
      if (!options.profile) discard(profile);
    },
  };
}
