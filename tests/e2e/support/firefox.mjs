// Firefox with the unpacked extension installed by WebDriver BiDi.
import puppeteer from "puppeteer-core";
import { extensionDir, firefoxBinary } from "./binaries.mjs";
import { discard, scratch } from "./scratch.mjs";
import { until, within } from "./wait.mjs";

const ID = "mooring@mooring.example";
// Known beforehand, so that the extension's pages can be opened by address.
const UUID = "6f1a0b52-4a54-4a4e-9f4c-2d1f5d0c7a11";

const preferences = {
  "extensions.webextensions.uuids": JSON.stringify({ [ID]: UUID }),
  // A temporary extension is removed when the browser ends; an installed one keeps what it stored.
  "extensions.webextensions.keepStorageOnUninstall": true,
  "extensions.webextensions.keepUuidOnUninstall": true,
  // Round trips to the next process take less than the millisecond that the clock is else rounded to.
  "privacy.reduceTimerPrecision": false,
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
  // As in a browser that nobody drives: a network that is lost is noticed.
  "network.manage-offline-status": true,
  "toolkit.telemetry.enabled": false,
};

/**
 * @param {object} options
 * @param {string} [options.profile] kept by the caller; else a fresh one that goes with the browser
 * @param {boolean} [options.headless]
 * @param {string} [options.extension] the folder of the extension
 * @param {boolean} [options.acceptInsecureCerts] certificates that nobody vouches for
 * @param {string[]} [options.names] names that lead to this machine
 */
export async function launchFirefox(options = {}) {
  const { headless = true, extension = extensionDir("firefox"), acceptInsecureCerts = false, names = [] } = options;
  const profile = options.profile ?? scratch("firefox");
  const browser = await puppeteer.launch({
    browser: "firefox",
    executablePath: firefoxBinary(),
    headless,
    userDataDir: profile,
    defaultViewport: null,
    acceptInsecureCerts,
    args: ["--remote-allow-system-access"],
    extraPrefsFirefox: { ...preferences, "network.dns.localDomains": names.join(",") },
  });
  await browser.installExtension(extension);
  const own = (file) => `moz-extension://${UUID}/${file}`;
  // BiDi does not report where an extension's page navigated to, so the page is asked.
  const prompts = async () => {
    const pages = await browser.pages();
    const urls = await Promise.all(
      pages.map((page) => within("a page's address", 2_000, page.evaluate(() => location.href)).catch(() => "")),
    );
    return pages
      .map((page, index) => ({ page, url: urls[index] }))
      .filter(({ url }) => url.startsWith(own("prompt.html")));
  };
  return {
    kind: "firefox",
    browser,
    id: UUID,
    origin: `moz-extension://${UUID}`,
    open: async (url) => {
      const page = await browser.newPage();
      await page.goto(url);
      return page;
    },
    /** Opens an extension page, such as `popup.html`, in a tab. */
    openOwn: async (file) => {
      const page = await browser.newPage();
      // It loads, but the load is never reported for an extension's page.
      await page.goto(own(file), { timeout: 1_000 }).catch(() => undefined);
      await until(`${file} to load`, () => page.evaluate(() => document.readyState === "complete"));
      return page;
    },
    /** The next prompt window. */
    prompt: (limit) => until("a prompt window", async () => (await prompts())[0]?.page, limit),
    /** The addresses of those that are open; each is another. */
    promptsOpen: async () => (await prompts()).map(({ url }) => url),
    close: async () => {
      await browser.close();
      if (!options.profile) discard(profile);
    },
  };
}
