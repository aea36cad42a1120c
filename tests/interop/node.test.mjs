// Our node, native, dials go-libp2p and js-libp2p.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { root } from "../e2e/support/binaries.mjs";
import { until } from "../e2e/support/wait.mjs";
import { intact, STREAMS } from "./support/expect.mjs";
import { listen, resultOf, server } from "./support/peers.mjs";

// pion, under go-libp2p, stops working with 200 streams at once from anybody, itself included.
const AT_ONCE = 64;

const dialer = path.join(root, "target/debug/examples/dial");
const dial = (address, sequential, concurrent = 0) =>
  resultOf(dialer, ["--sequential", `${sequential}`, "--concurrent", `${concurrent}`, address]);

before(async () => {
  const cargo = process.env.CARGO ?? "cargo";
  await promisify(execFile)(cargo, ["build", "--quiet", "-p", "mooring-server", "--example", "dial"], { cwd: root });
}, { timeout: 1_200_000 });

describe("go-libp2p is dialed", () => {
  let go;
  before(async () => {
    go = await listen("go");
  });
  after(() => go?.close());

  for (const transport of ["webrtc-direct", "ws", "tcp"]) {
    test(`over ${transport}: ping, and ${STREAMS} echo streams one after another, ${AT_ONCE} at once`, async () => {
      const result = await dial(go.on(transport), STREAMS, AT_ONCE);
      intact(result, { sequential: STREAMS, concurrent: AT_ONCE });
    });
  }

  test("as a bootstrap peer of the server, over webrtc-direct", async () => {
    const ours = await server(["--bootstrap", go.on("webrtc-direct")]);
    try {
      await until("the server to reach its bootstrap peer", () =>
        ours.log.some((line) => line.includes("connection opened") && line.includes(`peer=${go.peer}`)));
      await until("the Go peer to see it", () => go.log.some((line) => line.includes(ours.peer)));
    } finally {
      await ours.close();
    }
  });
});

test("a Go peer that half-closes its streams and never closes them costs no later stream", async () => {
  const go = await listen("go", ["--no-close", "--listen", "/ip4/127.0.0.1/udp/0/webrtc-direct"], 1);
  try {
    intact(await dial(go.on("webrtc-direct"), STREAMS), { sequential: STREAMS });
  } finally {
    await go.close();
  }
});

test("js-libp2p is dialed over tcp and ws", async () => {
  const js = await listen("js");
  try {
    for (const transport of ["tcp", "ws"]) {
      const result = await dial(js.on(transport), STREAMS);
      intact(result, { sequential: STREAMS });
      assert.equal(result.peer, js.peer);
    }
  } finally {
    await js.close();
  }
});
