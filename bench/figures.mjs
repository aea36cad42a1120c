// What is measured: each takes a page that has just connected, and answers numbers.
import { createHash } from "node:crypto";
import { pattern } from "../tests/interop/support/pages/pattern.mjs";
import { median, quantile } from "./stats.mjs";

const ROUND_TRIPS = 50;
const SHORT_STREAM_BYTES = 1024;
const AT_ONCE = 16;
const PING_PAUSE_MS = 20;
/** Of the bytes of a transfer: what a ping runs beside. */
const BESIDE = 1 / 4;

const digests = new Map();
/** Of so many bytes of the pattern. */
export function sha256(bytes) {
  if (!digests.has(bytes)) {
    const hash = createHash("sha256");
    for (const block of pattern(bytes)) hash.update(block);
    digests.set(bytes, hash.digest("hex"));
  }
  return digests.get(bytes);
}

/** A transfer, checked: what each end received is what the other sent. */
export async function transfer(page, order) {
  const result = await page.call("bulk", order);
  for (const [way, found, sent] of [
    ["up", result.sha256Up, order.up ?? 0],
    ["down", result.sha256Down, order.down ?? 0],
  ]) {
    if (found !== sha256(sent)) throw new Error(`${sent} bytes ${way}: other bytes arrived`);
  }
  return result;
}

const megabytesASecond = (bytes, milliseconds) => bytes / 1000 / milliseconds;

async function streams(page, count, atOnce) {
  const report = await page.call("shortStreams", count, atOnce, SHORT_STREAM_BYTES);
  if (report.intact !== count) {
    throw new Error(`${report.intact} of ${count} streams came back intact; ${report.errors[0]}`);
  }
  return (1000 * count) / report.milliseconds;
}

async function besideBulk(page, order) {
  const idle = await page.call("roundTrips", ROUND_TRIPS, PING_PAUSE_MS);
  const busy = await page.call("roundTripsDuring", order, PING_PAUSE_MS);
  return { p95: quantile(busy, 0.95), ratio: quantile(busy, 0.95) / median(idle) };
}

const part = (bytes) => Math.round(bytes * BESIDE);

/** `measure` answers a number, or several by the suffix of their title. `better` says which way. */
export const figures = [
  {
    id: "rtt",
    titles: { value: "1-byte round trip, ms" },
    measure: async (page) => ({ value: median(await page.call("roundTrips", ROUND_TRIPS, 0)) }),
  },
  {
    id: "streams",
    titles: { inTurn: "short streams in turn, per s", atOnce: `short streams, ${AT_ONCE} at once, per s` },
    measure: async (page, { streams: count }) => ({
      inTurn: await streams(page, count, 1),
      atOnce: await streams(page, count, AT_ONCE),
    }),
  },
  {
    id: "upload",
    titles: { value: "upload, MB/s" },
    measure: async (page, { bytes }) => {
      const { milliseconds } = await transfer(page, { up: bytes });
      return { value: megabytesASecond(bytes, milliseconds) };
    },
  },
  {
    id: "download",
    titles: { value: "download, MB/s" },
    measure: async (page, { bytes }) => {
      const { milliseconds } = await transfer(page, { down: bytes });
      return { value: megabytesASecond(bytes, milliseconds) };
    },
  },
  {
    id: "ping-up",
    titles: { p95: "ping beside an upload, p95, ms", ratio: "the same, of the idle ping's median" },
    measure: (page, { bytes }) => besideBulk(page, { up: part(bytes) }),
  },
  {
    id: "ping-down",
    titles: { p95: "ping beside a download, p95, ms", ratio: "the same, of the idle ping's median" },
    measure: (page, { bytes }) => besideBulk(page, { down: part(bytes) }),
  },
];

/** The dial is measured each time that anything is. */
export const DIAL = { id: "dial", titles: { value: "dial, ms" } };
