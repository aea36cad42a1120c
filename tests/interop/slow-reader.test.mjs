// Slow readers, with remotes that know windows (docs/adr/0009-stream-windows.md) and with those that do not: to the latter
// nothing is told, and what held before holds.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { transfer } from "../../bench/figures.mjs";
import { quantile } from "../../bench/stats.mjs";
import { within } from "../e2e/support/wait.mjs";
import { benchServer, listen, proxy } from "./support/peers.mjs";
import { launch, openContender, serve } from "./support/probe.mjs";

const MB = 1_000_000;
const MiB = 1024 * 1024;
/** Short enough for the reader to be what is slow, also in a debug build. */
const DELAY_MS = 20;
/** Beside the delay: machines that run tests are busy. */
const QUICK_MS = 400;

let site;
let chromium;
before(async () => {
  site = await serve("127.0.0.1");
  chromium = await launch();
});
after(async () => {
  await chromium?.close();
  await site?.close();
});

/** A fresh page, connected. */
async function connected(kind, address, run) {
  const page = await openContender(chromium.browser, site, kind);
  try {
    await page.call("dial", address);
    await run(page);
    assert.deepEqual(page.errors(), []);
  } finally {
    await page.close();
  }
}

/** Bytes of the page's wasm memory, which grows and never shrinks. */
const memory = (page) => page.tab.evaluate(() => window.wasm.memory.buffer.byteLength);

describe(`our page and our server, ${DELAY_MS} ms apart`, () => {
  let server;
  let between;
  let address;
  before(async () => {
    server = await benchServer();
    const direct = server.on("webrtc-direct");
    between = await proxy(Number(/\/udp\/(\d+)\//.exec(direct)[1]), { delay: DELAY_MS });
    address = direct.replace(/\/udp\/\d+\//, `/udp/${between.port}/`);
  });
  after(async () => {
    await between?.close();
    await server?.close();
  });

  // Both are more than any bound that a stream has.
  for (const order of [{ up: 20 * MB, rateUp: 2 * MB }, { down: 20 * MB, rateDown: 2 * MB }]) {
    const way = order.up ? "the server" : "the page";
    test(`${way} reads slowly: nothing is lost, and memory stays within the window`, () =>
      connected("mooring", address, async (page) => {
        await transfer(page, { up: MB, down: MB });
        const before = await memory(page);
        const { end } = await transfer(page, order);
        assert.equal(end, "");
        const extra = (await memory(page)) - before;
        assert.ok(extra < 12 * MiB, `the page's memory grew by ${extra} bytes`);
      }));
  }

  for (const order of [{ up: 20 * MB, rateUp: 1_000 }, { down: 20 * MB, rateDown: 1_000 }]) {
    test(`${order.up ? "the server" : "the page"} hardly reads: another stream is as quick as ever`, () =>
      connected("mooring", address, async (page) => {
        // It would take hours, and ends with the page.
        await page.tab.evaluate((order) => void window.contender.bulk(order).catch(() => undefined), order);
        const times = await within("round trips beside it", 60_000, page.call("roundTrips", 100, 50));
        assert.ok(quantile(times, 0.95) < DELAY_MS + QUICK_MS, `${quantile(times, 0.95)} ms`);
      }));
  }
});

describe("our page and go-libp2p", () => {
  let remote;
  before(async () => (remote = await listen("go", ["--listen", "/ip4/127.0.0.1/udp/0/webrtc-direct"], 1)));
  after(() => remote?.close());

  test("go-libp2p reads slowly", () =>
    connected("mooring", remote.on("webrtc-direct"), (page) => transfer(page, { up: 12 * MB, rateUp: 4 * MB })));

  test("the page reads slowly, below the bound of a stream", () =>
    connected("mooring", remote.on("webrtc-direct"), (page) => transfer(page, { down: 12 * MB, rateDown: 3 * MB })));

  test("the page reads slowly, and over the bound the stream is reset with its cause, and no other", () =>
    connected("mooring", remote.on("webrtc-direct"), async (page) => {
      await assert.rejects(transfer(page, { down: 64 * MB, rateDown: MB }), /receive buffer is full/);
      await transfer(page, { up: MB, down: MB });
    }));
});

describe("our server, which reads slowly", () => {
  let server;
  before(async () => (server = await benchServer()));
  after(() => server?.close());

  test("js-libp2p in a page", () =>
    connected("js-libp2p", server.on("webrtc-direct"), (page) => transfer(page, { up: 8 * MB, rateUp: 2 * MB })));

  // Of its answers it reads the empty ones as an end: see upstream.test.mjs for what else it does.
  test("libp2p-webrtc-websys", async () => {
    const page = await openContender(chromium.browser, site, "upstream");
    await page.call("dial", server.on("webrtc-direct"));
    await transfer(page, { up: 4 * MB, rateUp: MB });
    await page.close();
  });
});
