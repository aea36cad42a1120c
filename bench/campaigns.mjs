// The endurance campaigns. The interoperability tests run them too, short.
import { chromium, firefox, launch, openContender, serve } from "../tests/interop/support/probe.mjs";
import { transfer } from "./figures.mjs";
import { lanes, paths, start } from "./lanes.mjs";
import { kibibytes, ofPages } from "./memory.mjs";
import { spread } from "./stats.mjs";

const MiB = 1024;
const STREAM_BYTES = 1024;
/** Streams between two looks at the memory. */
const BATCH = 1_000;
const AT_ONCE = 16;
/** Dials between two looks. Chromium refuses the 501st peer connection that its collector has not taken: a batch stays below. */
const DIALS = 100;
const WARM_UP_BYTES = 1_000_000;
/** A tenth more memory than at the start may be left. */
const LEFT = 1.1;
/** Of what a slow reader may cost. */
const SLOW_EXTRA_KIB = 16 * MiB;

/** Our page connected to the remote, then everything gone. */
async function connected({ browser, host, remote }, work) {
  const lane = lanes.find(({ kind, remote: end }) => kind === "mooring" && end === remote);
  if (!lane) throw new Error(`no remote ${remote}: mooring or go`);
  const remotes = await start([lane], [paths[0]], host);
  const site = await serve(host);
  const running = await launch(browser === "firefox" ? firefox() : chromium());
  try {
    const page = await openContender(running.browser, site, "mooring");
    await page.tab.bringToFront();
    const look = async () => ({
      pageKiB: browser === "chrome" ? await ofPages(running.browser, page) : NaN,
      remoteKiB: kibibytes(remotes.pid(lane)),
    });
    const address = remotes.address(paths[0], lane);
    await page.call("dial", address);
    await work({ page, look, address });
    const errors = page.errors();
    if (errors.length > 0) throw new Error(errors.join("\n"));
    return await running.browser.version();
  } finally {
    await running.close();
    await site.close();
    await remotes.close();
  }
}

const failuresOf = (runs) => runs.filter(({ failed }) => failed).map(({ failed }) => `failed: ${failed}`);

/** Memory at the end beside that at the start, at both ends. */
function backAtStart(runs) {
  const [first, last] = [runs[0], runs.at(-1)];
  const ends = ["pageKiB", "remoteKiB"].filter((end) => Number.isFinite(first[end]) && first[end] !== null);
  return {
    kept: ends.every((end) => last[end] <= first[end] * LEFT),
    lines: ends.map((end) => `${end}: ${first[end]} at the start, ${last[end]} at the end (${(last[end] / first[end]).toFixed(2)} ×)`),
  };
}

/** Runs that can be repeated one by one: those that are missing are made. */
async function repeat(options, log, missing, once) {
  if (missing() <= 0) return undefined;
  return connected(options, async (running) => {
    while (missing() > 0) {
      const run = await once(running);
      log.add(run);
      options.say(`${JSON.stringify(run)}, ${missing()} to go`);
    }
  });
}

export const campaigns = {
  transfers: {
    count: 100,
    bytes: 100_000_000,
    title: ({ count, bytes }) => `${count} transfers of ${bytes / 1e6} MB up and as much down, checked by hash`,
    run: (options, log) =>
      repeat(options, log, () => options.count - log.done.length, async ({ page }) => {
        const { milliseconds, end } = await transfer(page, { up: options.bytes, down: options.bytes });
        return { milliseconds, ...(end ? { failed: end } : {}) };
      }),
    judge(runs, { count, bytes }) {
      const rates = spread(runs.map(({ milliseconds }) => (2 * bytes) / 1000 / milliseconds));
      const failures = failuresOf(runs);
      return {
        kept: runs.length >= count && failures.length === 0,
        lines: [`${runs.length - failures.length} of ${count} intact; MB/s, both ways: ${rates.min.toFixed(1)} to ${rates.max.toFixed(1)}, median ${rates.median.toFixed(1)}`, ...failures],
      };
    },
  },

  streams: {
    count: 100_000,
    bytes: STREAM_BYTES,
    title: ({ count, bytes }) => `${count} streams on one connection, each an echo of ${bytes} bytes`,
    /** One connection cannot be gone on with: it is one run, and its looks are kept on the way. */
    run: (options, log) => {
      log.done.length = 0;
      return connected(options, async ({ page, look }) => {
        await batch(page, Math.min(BATCH, options.count), options.bytes);
        log.add({ streams: 0, ...(await look()) });
        for (let streams = 0; streams < options.count; ) {
          const count = Math.min(BATCH, options.count - streams);
          const milliseconds = await batch(page, count, options.bytes);
          streams += count;
          const run = { streams, milliseconds, ...(await look()) };
          log.add(run);
          options.say(JSON.stringify(run));
        }
      });
    },
    judge(runs, { count }) {
      const back = backAtStart(runs);
      const rates = spread(runs.slice(1).map(({ milliseconds }) => BATCH / (milliseconds / 1000)));
      return {
        kept: back.kept && runs.at(-1).streams === count,
        lines: [`${runs.at(-1).streams} of ${count} intact; a second: ${rates.min.toFixed(0)} to ${rates.max.toFixed(0)}, median ${rates.median.toFixed(0)}`, ...back.lines],
      };
    },
  },

  dials: {
    count: 5_000,
    bytes: STREAM_BYTES,
    title: ({ count }) => `${count} dials and closes in one page, each with an echo`,
    run: (options, log) => {
      log.done.length = 0;
      return connected(options, async ({ page, look, address }) => {
        await page.call("hangUp");
        await dials(page, address, Math.min(DIALS, options.count), options.bytes);
        log.add({ dials: 0, ...(await look()) });
        for (let done = 0; done < options.count; ) {
          const count = Math.min(DIALS, options.count - done);
          const milliseconds = await dials(page, address, count, options.bytes);
          done += count;
          const run = { dials: done, milliseconds, ...(await look()), open: await page.open() };
          log.add(run);
          options.say(JSON.stringify(run));
        }
      });
    },
    judge(runs, { count }) {
      const back = backAtStart(runs);
      const open = runs.at(-1).open ?? 0;
      return {
        kept: back.kept && runs.at(-1).dials === count && open === 0,
        lines: [`${runs.at(-1).dials} of ${count} dialed and closed; ${open} peer connections left open`, ...back.lines],
      };
    },
  },

  "slow-reader": {
    count: 2,
    bytes: 2 ** 30,
    /** Bytes a second. */
    rate: 1_000_000,
    title: ({ bytes, rate }) => `${(bytes / 2 ** 30).toFixed(2)} GiB through a reader that takes ${rate / 1e6} MB/s: the remote's, then the page's`,
    run: (options, log) =>
      repeat(options, log, () => options.count - log.done.length, async ({ page, look, address }) => {
        const way = log.done.length % 2 ? "down" : "up";
        await page.call("hangUp").catch(() => undefined);
        await page.call("dial", address);
        // What the first transfer of a page takes once is no reader's.
        await transfer(page, { up: WARM_UP_BYTES, down: WARM_UP_BYTES });
        const before = await look();
        const peak = { ...before };
        let over = false;
        const order = { [way]: options.bytes, [way === "up" ? "rateUp" : "rateDown"]: options.rate };
        const moving = transfer(page, order).then(
          ({ milliseconds }) => ({ milliseconds }),
          (error) => ({ failed: String(error.message).split("\n")[0] }),
        ).finally(() => (over = true));
        const pings = [];
        while (!over) {
          const now = await look();
          for (const end of Object.keys(peak)) peak[end] = Math.max(peak[end], now[end]);
          // Another stream of the same connection, which nobody reads slowly.
          pings.push(...(await page.call("roundTrips", 1, 0).catch(() => [NaN])));
          await new Promise((done) => setTimeout(done, 500));
        }
        // The last may have come to a connection that was over.
        const pingMs = Math.round(Math.max(...pings.filter((ms) => ms >= 0)));
        const extra = (end) => peak[end] - before[end];
        return { way, ...(await moving), extraPageKiB: extra("pageKiB"), extraRemoteKiB: extra("remoteKiB"), pingMs };
      }),
    judge(runs, { count }) {
      const small = ({ extraPageKiB, extraRemoteKiB }) => !(extraPageKiB > SLOW_EXTRA_KIB) && !(extraRemoteKiB > SLOW_EXTRA_KIB);
      return {
        kept: runs.length >= count && runs.every((run) => !run.failed && small(run)),
        lines: runs.map((run) => `${run.way}: ${run.failed ? `failed: ${run.failed}` : `intact in ${(run.milliseconds / 1000).toFixed(0)} s`}; extra memory: page ${run.extraPageKiB} KiB, remote ${run.extraRemoteKiB} KiB; a ping beside it took ${run.pingMs} ms at most`),
      };
    },
  },
};

async function batch(page, count, bytes) {
  const { intact, milliseconds, errors } = await page.call("shortStreams", count, AT_ONCE, bytes);
  if (intact !== count) throw new Error(`${intact} of ${count} streams came back intact; ${errors[0]}`);
  return milliseconds;
}

async function dials(page, address, count, bytes) {
  return page.tab.evaluate(
    async (address, count, bytes) => {
      const begun = performance.now();
      for (let i = 0; i < count; i += 1) {
        await window.contender.dial(address);
        const { intact, errors } = await window.contender.shortStreams(1, 1, bytes);
        if (intact !== 1) throw new Error(`dial ${i}: ${errors[0]}`);
        await window.contender.hangUp();
      }
      return performance.now() - begun;
    },
    address,
    count,
    bytes,
  );
}
