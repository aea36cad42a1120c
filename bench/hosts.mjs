// The host document is closed over and over: how soon there is a new one that answers, and that there is never a second.
import { launchChromium } from "../tests/e2e/support/chromium.mjs";
import { call } from "../tests/e2e/support/page.mjs";
import { allowed } from "../tests/e2e/support/scenarios.mjs";
import { startSite } from "../tests/e2e/support/site.mjs";
import { until } from "../tests/e2e/support/wait.mjs";
import { quantile, spread } from "./stats.mjs";

/** How soon a new one answers, in milliseconds, in 99 of 100 cases. */
const BACK_MS = 3_000;

const isHost = (target) => target.url().endsWith("/host.html");

export const hosts = {
  count: 100,
  title: ({ count }) => `the host document is closed ${count} times`,
  async run({ count, say }, log) {
    const launched = await launchChromium();
    const site = await startSite();
    try {
      const hosts = () => launched.browser.targets().filter(isHost).length;
      const page = await allowed(launched, site, [{ name: "identity" }]);
      const { peerId } = await call(page, "identity.get");
      let most = 0;
      // A document is made before it has its address.
      for (const event of ["targetcreated", "targetchanged"]) launched.browser.on(event, () => (most = Math.max(most, hosts())));
      for (let round = log.done.length + 1; round <= count; round += 1) {
        most = 0;
        const begun = performance.now();
        await (await launched.worker()).evaluate(() => chrome.offscreen.closeDocument());
        // In every other round nobody asks: it comes by itself.
        if (round % 2) await until("a new host document", () => hosts() > 0, 30_000);
        await page.evaluate(async () => {
          while ((await window.node.request("node.status")).result?.state !== "online");
        });
        const milliseconds = performance.now() - begun;
        const same = (await call(page, "identity.get")).peerId === peerId;
        const run = { round, milliseconds, most, same };
        log.add(run);
        say(JSON.stringify(run));
      }
      return await launched.browser.version();
    } finally {
      await launched.close();
      await site.close();
    }
  },
  judge(runs, { count }) {
    const p99 = quantile(runs.map(({ milliseconds }) => milliseconds), 0.99);
    const { min, median, max } = spread(runs.map(({ milliseconds }) => milliseconds));
    const whole = runs.filter(({ most, same }) => most === 1 && same).length;
    return {
      kept: runs.length >= count && whole === runs.length && p99 < BACK_MS,
      lines: [
        `a new one answers after ${Math.round(min)} to ${Math.round(max)} ms, median ${Math.round(median)}, p99 ${Math.round(p99)}`,
        `${whole} of ${runs.length} times one new document and the same identity`,
      ],
    };
  },
};
