// One browser and one server for the whole file, and the first two tests of both browsers.
import { after, before, test } from "node:test";
import { denied, pageToServer } from "./scenarios.mjs";
import { startServer } from "./server.mjs";
import { startSite } from "./site.mjs";

/**
 * @param {() => Promise<object>} launch launchChromium or launchFirefox
 * @param {object} options as for startServer
 * @param {(shared: { browser: object, server: object }) => void} take is given both before the first test runs
 */
export function shareOne(launch, options, take) {
  const shared = {};

  before(async () => {
    shared.server = await startServer(options);
    shared.browser = await launch();
    take(shared);
  });

  after(async () => {
    await shared.browser?.close();
    await shared.server?.close();
  });

  return shared;
}

/** The same, as is what both browsers are tested for first. */
export function inOneBrowser(launch, options, take) {
  const shared = shareOne(launch, options, take);

  test("a page asks, the user allows, it dials, pings, and the popup shows its connection", async (t) => {
    const page = await pageToServer(shared.browser, await freshSite(t), shared.server);
    await page.close();
  });

  test("the user denies: 4001, and 4100 after", async (t) => {
    const page = await denied(shared.browser, await freshSite(t), shared.server);
    await page.close();
  });
}

/** A site of an origin of its own, gone with the test. */
export async function freshSite(t) {
  const site = await startSite();
  t.after(() => site.close());
  return site;
}
