// A js-libp2p peer of the DHT, in server mode, that does what it is told.
//
//   node dht.mjs
//
// Prints its multiaddrs, one a line. Then each line of its stdin is a JSON array, a command and its arguments, and each is answered
// by one line of JSON: { result } or { error }. Bytes are base64. It runs until the end of its stdin.
//
//   ["dial", MULTIADDR]  ["findPeer", PEER]  ["provide", CID]  ["findProviders", CID]
//   ["put", KEY, VALUE]  ["get", KEY]        ["closest", KEY]
import "./polyfill.mjs";
import readline from "node:readline";

const [{ createLibp2p }, { noise }, { yamux }, { tcp }, { webSockets }, { identify }, { ping }, { kadDHT }, { multiaddr }, { peerIdFromString }, { CID }] = await Promise.all([
  import("libp2p"),
  import("@libp2p/noise"),
  import("@libp2p/yamux"),
  import("@libp2p/tcp"),
  import("@libp2p/websockets"),
  import("@libp2p/identify"),
  import("@libp2p/ping"),
  import("@libp2p/kad-dht"),
  import("@multiformats/multiaddr"),
  import("@libp2p/peer-id"),
  import("multiformats/cid"),
]);

// Its keys have a namespace, with rules of its own: ours has none.
const NAMESPACE = "mooring";

const node = await createLibp2p({
  addresses: { listen: ["/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/tcp/0/ws"] },
  transports: [tcp(), webSockets()],
  connectionEncrypters: [noise()],
  streamMuxers: [yamux()],
  connectionGater: { denyDialMultiaddr: () => false },
  connectionMonitor: { enabled: false },
  services: {
    identify: identify(),
    ping: ping(),
    dht: kadDHT({
      protocol: "/ipfs/kad/1.0.0",
      clientMode: false,
      // It would leave out what is private.
      peerInfoMapper: (peer) => peer,
      allowQueryWithZeroPeers: true,
      initialQuerySelfInterval: 0,
      validators: { [NAMESPACE]: async () => {} },
      selectors: { [NAMESPACE]: () => 0 },
    }),
  },
});

const bytes = (text) => new Uint8Array(Buffer.from(text, "base64"));
const dht = () => node.services.dht;

async function collect(events, take) {
  const all = [];
  for await (const event of events) all.push(...take(event));
  return all;
}

const commands = {
  dial: async (address) => {
    await node.dial(multiaddr(address));
  },
  findPeer: async (peer) => {
    const { id, multiaddrs } = await node.peerRouting.findPeer(peerIdFromString(peer), { signal: AbortSignal.timeout(20_000) });
    return { id: id.toString(), addresses: multiaddrs.map(String) };
  },
  provide: async (cid) => {
    await collect(dht().provide(CID.parse(cid), { signal: AbortSignal.timeout(20_000) }), () => []);
  },
  findProviders: (cid) =>
    collect(dht().findProviders(CID.parse(cid), { signal: AbortSignal.timeout(20_000) }), (event) =>
      (event.name === "PROVIDER" ? event.providers : []).map(({ id, multiaddrs }) => ({ id: id.toString(), addresses: multiaddrs.map(String) }))),
  put: async (key, value) => {
    const took = await collect(dht().put(bytes(key), bytes(value), { signal: AbortSignal.timeout(20_000) }), (event) =>
      event.name === "PEER_RESPONSE" && event.messageName === "PUT_VALUE" ? [event.from.toString()] : []);
    return took;
  },
  get: async (key) => {
    const values = await collect(dht().get(bytes(key), { signal: AbortSignal.timeout(20_000) }), (event) => (event.name === "VALUE" ? [event.value] : []));
    if (values.length === 0) throw new Error("no value");
    return Buffer.from(values[0]).toString("base64");
  },
  closest: (key) =>
    collect(dht().getClosestPeers(bytes(key), { signal: AbortSignal.timeout(20_000) }), (event) => (event.name === "FINAL_PEER" ? [event.peer.id.toString()] : [])),
};

for (const address of node.getMultiaddrs()) console.log(address.toString());
const lines = readline.createInterface({ input: process.stdin });
for await (const line of lines) {
  const [command, ...args] = JSON.parse(line);
  try {
    console.log(JSON.stringify({ result: (await commands[command](...args)) ?? null }));
  } catch (error) {
    console.log(JSON.stringify({ error: String(error?.message ?? error) }));
  }
}
await Promise.race([node.stop(), new Promise((resolve) => setTimeout(resolve, 2000))]);
process.exit(0);
