// js-libp2p in a browser page, with what the interoperability tests and the benchmarks ask of it; the same as the
// wasm probe (tests/transport) does.
import { noise } from "@libp2p/noise";
import { identify } from "@libp2p/identify";
import { ping } from "@libp2p/ping";
import { webRTCDirect } from "@libp2p/webrtc";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";
import { ECHO } from "./echo.mjs";

const BULK = "/mooring/bench/bulk/1.0.0";
/** More than the benchmarks open at once: the limits under test are the transport's. */
const STREAMS = 4096;

/**
 * @param {(bytes: number) => Iterable<Uint8Array>} pattern what is sent in bulk
 */
export async function create(pattern) {
  const node = await createLibp2p({
    transports: [webRTCDirect()],
    connectionEncrypters: [noise()],
    connectionGater: { denyDialMultiaddr: () => false },
    connectionMonitor: { enabled: false },
    services: { identify: identify(), ping: ping() },
  });
  let connection;
  const held = [];
  const open = (protocol) => connection.newStream(protocol, { maxOutboundStreams: STREAMS });

  return {
    async dial(address) {
      connection = await node.dial(multiaddr(address));
      return connection.remotePeer.toString();
    },
    async hangUp() {
      await node.hangUp(connection.remotePeer);
    },
    async roundTrips(count, pause) {
      const pinger = await openPinger(await open(ECHO));
      const times = [];
      for (let i = 0; i < count; i += 1) {
        times.push(await pinger.roundTrip());
        await wait(pause);
      }
      await pinger.close();
      return times;
    },
    async roundTripsDuring(order, pause) {
      const pinger = await openPinger(await open(ECHO));
      let over = false;
      const transfer = this.bulk(order).finally(() => (over = true));
      const times = [];
      while (!over) {
        times.push(await pinger.roundTrip());
        await wait(pause);
      }
      await transfer;
      pinger.stream.abort(new Error("done"));
      return times;
    },
    async bulk({ up = 0, down = 0, rateUp = 0 }) {
      const received = new Uint8Array(32 + down);
      const begun = performance.now();
      const stream = await open(BULK);
      let length = 0;
      const reading = (async () => {
        for await (const chunk of stream) {
          const parts = chunk instanceof Uint8Array ? [chunk] : chunk;
          for (const part of parts) {
            received.set(part, length);
            length += part.byteLength;
          }
          if (length === received.length) return performance.now();
        }
        throw new Error(`${length} of ${received.length} bytes came`);
      })();
      const header = new DataView(new ArrayBuffer(24));
      [up, down, rateUp].forEach((number, index) => header.setBigUint64(8 * index, BigInt(number)));
      await send(stream, new Uint8Array(header.buffer));
      // Copies: it keeps what it is given until that is sent, and the pattern's blocks are one memory.
      for (const block of pattern(up)) await send(stream, block.slice());
      const end = await reading;
      await stream.close();
      return {
        milliseconds: end - begun,
        sha256Up: hex(received.subarray(0, 32)),
        sha256Down: hex(new Uint8Array(await crypto.subtle.digest("SHA-256", received.subarray(32)))),
        end: "",
      };
    },
    async shortStreams(count, atOnce, bytes) {
      const report = { asked: count, intact: 0, milliseconds: 0, errors: [] };
      const begun = performance.now();
      let next = 0;
      const worker = async () => {
        while (next < count) {
          const index = next++;
          try {
            await echo(await open(ECHO), bytes);
            report.intact += 1;
          } catch (error) {
            report.errors.push(`stream ${index}: ${error?.message ?? error}`);
          }
        }
      };
      await Promise.all(Array.from({ length: Math.min(atOnce, count) }, worker));
      report.milliseconds = performance.now() - begun;
      return report;
    },
    async hold(count) {
      for (let i = 0; i < count; i += 1) held.push(await openPinger(await open(ECHO)));
    },
    async release() {
      for (const pinger of held.splice(0)) await pinger.close();
    },
    ping: () => node.services.ping.ping(connection.remotePeer),
  };
}

async function send(stream, bytes) {
  if (!stream.send(bytes)) await stream.onDrain();
}

/** A stream whose single bytes come back. */
async function openPinger(stream) {
  const chunks = stream[Symbol.asyncIterator]();
  const roundTrip = async () => {
    const begun = performance.now();
    await send(stream, Uint8Array.of(7));
    const { done, value } = await chunks.next();
    if (done || value.byteLength !== 1) throw new Error("not one byte came back");
    return performance.now() - begun;
  };
  // The first answer has the negotiation in it.
  await roundTrip();
  const close = async () => {
    await stream.close();
    while (!(await chunks.next()).done);
  };
  return { stream, roundTrip, close };
}

async function echo(stream, bytes) {
  const payload = crypto.getRandomValues(new Uint8Array(bytes));
  let length = 0;
  const reading = (async () => {
    for await (const chunk of stream) {
      for (const byte of chunk.subarray()) if (byte !== payload[length++]) throw new Error("other bytes came back");
    }
    if (length !== bytes) throw new Error(`${length} of ${bytes} bytes came back`);
  })();
  try {
    await send(stream, payload);
    await stream.close();
    await reading;
  } catch (error) {
    stream.abort(error);
    throw error;
  }
}

const wait = (milliseconds) => milliseconds > 0 && new Promise((done) => setTimeout(done, milliseconds));

const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
