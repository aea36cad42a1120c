// The pages of an example, in two browsers that meet over a relay.
import { after, before } from "node:test";
import { serve } from "../../../examples/serve.mjs";
import { launchChromium } from "./chromium.mjs";
import { askServers } from "./ice.mjs";
import { startServer } from "./server.mjs";

/**
 * Both browsers, the relay and the site, for the whole file.
 * @param {string} host the address that the relay listens on
 * @param {string} example the folder's name
 * @param {() => Promise<void>} ready what is done with them before the first test
 * @returns {{ ada: object, bob: object, relay: object, site: object, url: () => string }} `url`: the page that knows the relay
 */
export function shareTwo(host, example, ready) {
  const shared = { url: () => `${shared.site.url}?server=${encodeURIComponent(shared.relay.address)}` };

  before(async () => {
    shared.relay = await startServer({ host });
    shared.site = await serve(example);
    const launching = { ada: launchChromium(), bob: launchChromium() };
    for (const [name, launched] of Object.entries(launching)) shared[name] = await launched;
    await Promise.all([shared.ada, shared.bob].map((launched) => askServers(launched, [])));
    await ready?.();
  });

  after(async () => {
    await shared.ada?.close();
    await shared.bob?.close();
    await shared.site?.close();
    await shared.relay?.close();
  });

  return shared;
}
