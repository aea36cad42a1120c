// Not run: a user's program, for the compiler to check against the published declarations.
import { connect, ErrorCode, MooringError, type Connection, type Descriptor, type MooringNode, type MooringStream } from "mooring-client";

const wanted: Descriptor[] = [{ name: "dial", privateNetwork: true }, { name: "streams", protocols: ["/chat/1"] }];

export async function use(signal: AbortSignal): Promise<void> {
  const node: MooringNode = await connect({ signal, timeout: 1_000 });
  const granted: Descriptor[] = await node.permissions.request(wanted);
  await node.permissions.revoke([{ name: granted[0]?.name ?? "peers" }]);
  const connection: Connection = await node.dial("/ip4/192.0.2.1/udp/1/webrtc-direct", { signal });
  await node.dial({ peer: connection.peerId, addresses: [connection.remoteAddress] });
  const rtt: number = await node.peers.ping(connection.peerId);
  node.addEventListener("connection.closed", ({ detail }) => console.log(detail.reason, detail.connection.id, rtt), { once: true });
  node.addEventListener("error", ({ detail }) => console.log(detail.code === ErrorCode.Unauthorized));
  // @ts-expect-error there is no such event
  node.addEventListener("connection.lost", () => undefined);

  const stream: MooringStream = await node.openStream(connection.peerId, ["/chat/2", "/chat/1"], { allowRelayed: false, window: 65_536 });
  await new Blob(["hello"]).stream().pipeTo(stream.writable);
  for await (const chunk of stream.readable) console.log(chunk.byteLength);
  const { reason } = await stream.closed;
  console.log(reason?.length);

  const stop: () => Promise<void> = await node.handle("/chat/1", async (inbound, dropped) => {
    await inbound.readable.pipeTo(inbound.writable);
    console.log(dropped, inbound.peer);
  });
  await stop();

  const subscription = node.pubsub.subscribe("room", { signal });
  for await (const { from, data } of subscription) console.log(from, data.length, subscription.dropped);
  const { recipients } = await node.pubsub.publish("room", new Uint8Array(1));
  for (const { peer, addresses } of await node.dht.findProviders("Qm", { limit: recipients })) console.log(peer, addresses.length);
  const value: Uint8Array = await node.dht.get(new Uint8Array(32));
  await node.rendezvous.register("room", { ttlSeconds: value.length });

  try {
    // @ts-expect-error a peer id is text
    await node.connections.release(7);
  } catch (error) {
    if (error instanceof MooringError && error.name === "LimitExceeded") console.log(error.retryAfterMs, error.detail);
  }
}
