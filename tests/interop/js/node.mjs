// A js-libp2p node that echoes and answers pings.
import "./polyfill.mjs";
import { ECHO, echo } from "./echo.mjs";

const [{ createLibp2p }, { noise }, { yamux }, { tcp }, { webSockets }, { webRTC, webRTCDirect }, { circuitRelayServer, circuitRelayTransport }, { identify }, { ping }] = await Promise.all([
  import("libp2p"),
  import("@libp2p/noise"),
  import("@libp2p/yamux"),
  import("@libp2p/tcp"),
  import("@libp2p/websockets"),
  import("@libp2p/webrtc"),
  import("@libp2p/circuit-relay-v2"),
  import("@libp2p/identify"),
  import("@libp2p/ping"),
]);

/** Whoever opens it gets as many bytes as fit a new stream's window, and then the connection is closed. */
export const TAIL = "/mooring/tail/1.0.0";
const TAIL_BYTES = 256 * 1024;

// The tests open hundreds of streams at once on purpose; the limits under test are the other side's.
const STREAMS = 1024;

/**
 * @param {string[]} listen
 * @param {object} [options]
 * @param {boolean} [options.relays] lets others reserve on it, and be reached through it
 */
export async function createNode(listen = [], { relays = false } = {}) {
  const node = await createLibp2p({
    addresses: { listen },
    transports: [tcp(), webSockets(), webRTCDirect(), webRTC({ rtcConfiguration: { iceServers: [] } }), circuitRelayTransport()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionGater: { denyDialMultiaddr: () => false },
    connectionMonitor: { enabled: false },
    services: { identify: identify(), ping: ping(), ...(relays ? { relay: circuitRelayServer() } : {}) },
  });
  await node.handle(ECHO, echo, { maxInboundStreams: STREAMS, runOnLimitedConnection: true });
  await node.handle(TAIL, tail);
  return node;
}

async function tail(stream, connection) {
  stream.send(new Uint8Array(TAIL_BYTES).fill(7));
  await stream.close();
  await connection.close();
}
