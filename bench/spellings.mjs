// Spellings of addresses that are not global, from a page that may dial: `cargo xtask soak spellings`. tests/e2e/spellings.test.mjs does it with fewer.
import { launchChromium } from "../tests/e2e/support/chromium.mjs";
import { refuse, routeIpv6 } from "../tests/e2e/support/refusals.mjs";
import { allowed } from "../tests/e2e/support/scenarios.mjs";
import { startSite } from "../tests/e2e/support/site.mjs";
import { spellings as generator } from "../tests/e2e/support/spellings.mjs";

const SEED = 66;

export const spellings = {
  count: 5_000,
  bytes: 0,
  title: ({ count }) => `a page dials ${count} spellings of addresses that are not global, without the grant`,
  async run({ count, say }, log) {
    log.done.length = 0;
    const running = [];
    try {
      routeIpv6();
      const site = await startSite();
      running.push(site);
      const launched = await launchChromium({ names: ["*"] });
      running.push(launched);
      const page = await allowed(launched, site, [{ name: "dial" }]);
      const begun = performance.now();
      const seen = await refuse(page, generator(SEED), count);
      log.add({ ...seen, milliseconds: performance.now() - begun });
      say(`${count} in ${Math.round(performance.now() - begun)} ms`);
      return await launched.browser.version();
    } finally {
      for (const each of running.reverse()) await each.close();
    }
  },
  judge([run]) {
    if (!run) return { kept: false, lines: ["it did not come to its end"] };
    const { byKind, wrong, sent, milliseconds } = run;
    return {
      kept: wrong.length === 0 && sent.tcp === 0 && sent.udp === 0,
      lines: [
        `${(milliseconds / 1000).toFixed(1)} s; ${sent.tcp} connections by TCP and ${sent.udp} datagrams were sent`,
        ...Object.entries(byKind).map(([kind, codes]) => `${kind}: ${Object.entries(codes).map(([code, times]) => `${times} × ${code}`).join(", ")}`),
        `${wrong.length} were answered otherwise than they should be`,
        ...wrong.slice(0, 20).map((each) => JSON.stringify(each)),
      ],
    };
  },
};
