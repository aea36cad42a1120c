// A browser with the extension, a site and perhaps a server, all gone with the test.
import { launchChromium } from "./chromium.mjs";
import { startServer } from "./server.mjs";
import { startSite } from "./site.mjs";

/**
 * @param {object} t the test's context
 * @param {object} [options] as for launchChromium
 * @param {boolean} [options.server] false where no other peer is needed
 * @param {string} [options.host] the address that the server listens on
 */
export async function setUp(t, { server: withServer = true, host, ...options } = {}) {
  const site = await startSite();
  t.after(() => site.close());
  const server = withServer ? await startServer({ host }) : undefined;
  t.after(() => server?.close());
  const chromium = await launchChromium(options);
  t.after(() => chromium.close());
  return { site, server, chromium };
}
