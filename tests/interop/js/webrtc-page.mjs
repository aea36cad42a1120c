// js-libp2p in a browser page, as a peer that is reached, or dials, by /webrtc over a relay.
import { circuitRelayTransport } from "@libp2p/circuit-relay-v2";
import { identify } from "@libp2p/identify";
import { noise } from "@libp2p/noise";
import { webRTC, webRTCDirect } from "@libp2p/webrtc";
import { webSockets } from "@libp2p/websockets";
import { yamux } from "@libp2p/yamux";
import { multiaddr } from "@multiformats/multiaddr";
import { createLibp2p } from "libp2p";
import { ECHO, echo } from "./echo.mjs";

const BLOCK = 64 * 1024;

/** A peer that echoes. `start` makes its node. */
export function create() {
  let node;
  let connection;
  return {
    /**
     * @param {string} [relay] reserves a place there, and is reached through it
     * @returns {Promise<string>} its peer id
     */
    async start(relay) {
      node = await createLibp2p({
        addresses: { listen: relay ? [`${relay}/p2p-circuit`, "/webrtc"] : [] },
        transports: [webRTCDirect(), webSockets(), webRTC({ rtcConfiguration: { iceServers: [] } }), circuitRelayTransport()],
        connectionEncrypters: [noise()],
        streamMuxers: [yamux()],
        connectionGater: { denyDialMultiaddr: () => false },
        connectionMonitor: { enabled: false },
        services: { identify: identify() },
      });
      await node.handle(ECHO, echo, { maxInboundStreams: 1024, runOnLimitedConnection: true });
      return node.peerId.toString();
    },
    addresses: () => node.getMultiaddrs().map(String),
    /** Whether the connection that it got is direct. */
    async dial(address) {
      connection = await node.dial(multiaddr(address));
      return connection.direct;
    },
    hangUp: () => node.hangUp(connection.remotePeer),
    /** What is between it and a peer: `direct` or `relayed`, one each. */
    paths: (peer) => node.getConnections().filter(({ remotePeer }) => remotePeer.toString() === peer).map(({ direct }) => (direct ? "direct" : "relayed")),
    /** Sends random bytes over the connection and wants them back: whether they were the same, and the milliseconds. */
    async echo(total) {
      const begun = performance.now();
      const stream = await connection.newStream(ECHO, { runOnLimitedConnection: true });
      const sent = new Uint8Array(total);
      for (let at = 0; at < total; at += BLOCK) crypto.getRandomValues(sent.subarray(at, Math.min(at + BLOCK, total)));
      const parts = [];
      const reading = (async () => {
        for await (const chunk of stream) parts.push(...(chunk instanceof Uint8Array ? [chunk] : chunk));
      })();
      for (let at = 0; at < total; at += BLOCK) {
        if (!stream.send(sent.slice(at, at + BLOCK))) await stream.onDrain();
      }
      await stream.close();
      await reading;
      const intact = (await digest(new Blob([sent]))) === (await digest(new Blob(parts)));
      return { intact, milliseconds: performance.now() - begun };
    },
  };
}

const digest = async (blob) => String(new Uint8Array(await crypto.subtle.digest("SHA-256", await blob.arrayBuffer())));
