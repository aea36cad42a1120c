// A js-libp2p peer for the interoperability tests, with the same command line and output as the Go one.
//
//   node peer.mjs listen [--listen MULTIADDR]... [--relay MULTIADDR] [--relays]
//   node peer.mjs dial   [--pings N] [--sequential N] [--concurrent N] [--bytes N] [--timeout SECONDS] MULTIADDR
//
// listen prints its full multiaddrs on stdout, one a line (webrtc-direct is version 1 only), then runs until SIGINT,
// SIGTERM or the end of its stdin. With a relay it listens through that only, and is reached by /webrtc; with --relays it
// is one. dial prints one line of JSON and exits 0 when everything succeeded, else 1.
import { parseArgs } from "node:util";
import { createHash, randomBytes } from "node:crypto";
import { setMaxListeners } from "node:events";
import { ECHO } from "./echo.mjs";
import { createNode } from "./node.mjs";

const [{ multiaddr }] = await Promise.all([import("@multiformats/multiaddr")]);
const [command, ...args] = process.argv.slice(2);

if (command === "listen") {
  await listen(args);
} else if (command === "dial") {
  await dial(args);
} else {
  console.error("usage: peer.mjs listen|dial [flags]");
  process.exit(2);
}

async function listen(args) {
  const { values } = parseArgs({ args, options: { listen: { type: "string", multiple: true }, relay: { type: "string" }, relays: { type: "boolean" } } });
  const node = await createNode(values.relay ? [`${values.relay}/p2p-circuit`, "/webrtc"] : values.listen ?? [
    "/ip4/127.0.0.1/udp/0/webrtc-direct",
    "/ip4/127.0.0.1/tcp/0/ws",
    "/ip4/127.0.0.1/tcp/0",
  ], { relays: values.relays });
  node.addEventListener("connection:open", ({ detail }) => report("opened", detail));
  node.addEventListener("connection:close", ({ detail }) => report("closed", detail));
  for (const address of node.getMultiaddrs()) console.log(address.toString());
  await new Promise(resolve => {
    process.once("SIGINT", resolve);
    process.once("SIGTERM", resolve);
    process.stdin.once("end", resolve).resume(); // whoever started us is gone
  });
  await node.stop();
  process.exit(0);
}

function report(what, connection) {
  console.error(`connection ${what} peer=${connection.remotePeer} address=${connection.remoteAddr}`);
}

async function dial(args) {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      pings: { type: "string", default: "3" },
      sequential: { type: "string", default: "0" },
      concurrent: { type: "string", default: "0" },
      bytes: { type: "string", default: "20000" },
      timeout: { type: "string", default: "60" },
    },
  });
  const address = multiaddr(positionals[0]);
  const bytes = Number(values.bytes);
  const signal = AbortSignal.timeout(Number(values.timeout) * 1000);
  setMaxListeners(0, signal); // each stream listens
  const result = { ok: false, dialMs: 0, pingMs: [] };
  const node = await createNode();
  try {
    const start = performance.now();
    const connection = await node.dial(address, { signal });
    result.dialMs = performance.now() - start;
    result.peer = connection.remotePeer.toString();
    result.address = connection.remoteAddr.toString();
    result.direct = connection.direct;
    for (let i = 0; i < Number(values.pings); i++) {
      result.pingMs.push(await node.services.ping.ping(connection.remotePeer, { signal }));
    }
    result.sequential = await echoStreams(connection, Number(values.sequential), 1, bytes, signal);
    result.concurrent = await echoStreams(connection, Number(values.concurrent), Infinity, bytes, signal);
    for (const run of [result.sequential, result.concurrent]) {
      if (run.intact !== run.asked) throw new Error("echo: not every stream came back intact");
    }
    result.ok = true;
  } catch (error) {
    result.error = String(error?.message ?? error);
  }
  console.log(JSON.stringify(result));
  await Promise.race([node.stop(), new Promise(resolve => setTimeout(resolve, 2000))]);
  process.exit(result.ok ? 0 : 1);
}

async function echoStreams(connection, count, atOnce, bytes, signal) {
  const run = { asked: count, intact: 0, ms: 0, maxMs: 0, errors: [] };
  const start = performance.now();
  let next = 0;
  const worker = async () => {
    while (next < count) {
      const index = next++;
      const begun = performance.now();
      try {
        // From one byte to all of them, so that frames of every fill are seen.
        await echoOnce(connection, 1 + Math.floor(index * bytes / count), signal);
        run.intact++;
      } catch (error) {
        // A few are enough to see what went wrong.
        if (run.errors.length < 5) run.errors.push(`stream ${index}: ${error?.message ?? error}`);
      }
      run.maxMs = Math.max(run.maxMs, performance.now() - begun);
    }
  };
  await Promise.all(Array.from({ length: Math.min(atOnce, count) }, worker));
  run.ms = performance.now() - start;
  return run;
}

async function echoOnce(connection, size, signal) {
  const payload = randomBytes(size);
  const stream = await connection.newStream(ECHO, { signal });
  const giveUp = () => stream.abort(new Error("out of time"));
  signal.addEventListener("abort", giveUp);
  try {
    const received = createHash("sha256");
    let length = 0;
    const reading = (async () => {
      for await (const chunk of stream) {
        const flat = chunk.subarray();
        length += flat.byteLength;
        received.update(flat);
      }
    })();
    await send(stream, payload);
    await reading;
    if (length !== size || received.digest("hex") !== createHash("sha256").update(payload).digest("hex")) {
      throw new Error(`${length} bytes came back of ${size}, or others`);
    }
  } catch (error) {
    stream.abort(error);
    throw error;
  } finally {
    signal.removeEventListener("abort", giveUp);
  }
}

async function send(stream, payload) {
  if (!stream.send(payload)) await stream.onDrain();
  await stream.close();
}
