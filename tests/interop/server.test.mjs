// go-libp2p and js-libp2p dial our server.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { until } from "../e2e/support/wait.mjs";
import { intact, STREAMS } from "./support/expect.mjs";
import { dial, server } from "./support/peers.mjs";

// js-libp2p refuses to open more than 64 streams of a protocol at once.
const AT_ONCE = 64;

let ours;
before(async () => {
  ours = await server();
});
after(() => ours?.close());

const echo = (sequential, concurrent) => ["--sequential", `${sequential}`, "--concurrent", `${concurrent}`];

describe("go-libp2p dials the server", () => {
  for (const [name, transport, flags] of [
    ["webrtc-direct version 1", "webrtc-direct", ["--webrtc-version", "1"]],
    ["webrtc-direct version 2", "webrtc-direct", ["--webrtc-version", "2"]],
    ["ws", "ws", []],
    ["tcp", "tcp", []],
  ]) {
    test(`over ${name}: ping, and ${STREAMS} echo streams one after another`, async () => {
      intact(await dial("go", ours.on(transport), [...flags, ...echo(STREAMS, 0)]), { sequential: STREAMS });
    });

    test(`over ${name}: ${STREAMS} echo streams at once`, async () => {
      intact(await dial("go", ours.on(transport), [...flags, ...echo(0, STREAMS)]), { concurrent: STREAMS });
    });
  }
});

describe("js-libp2p dials the server", () => {
  // js-libp2p knows version 1 of webrtc-direct only.
  for (const transport of ["webrtc-direct", "ws", "tcp"]) {
    test(`over ${transport}: ping, and ${STREAMS} echo streams one after another, ${AT_ONCE} at once, without a stall`, async () => {
      intact(await dial("js", ours.on(transport), echo(STREAMS, AT_ONCE)), { sequential: STREAMS, concurrent: AT_ONCE });
    });
  }
});

test("every connection that was opened is closed again", async () => {
  assert.ok(ours.opened() >= 11, ours.log.join("\n"));
  // A peer that ends without a word is noticed by the last-seen timer.
  await until("the last connection to close", () => ours.closed() === ours.opened(), 60_000);
});
