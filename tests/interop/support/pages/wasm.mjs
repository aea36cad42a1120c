// A wasm probe as the benchmarks see every implementation.

export function create(probe) {
  let peer;
  const gone = async () => {
    while (probe.seen().connections > 0) await new Promise((done) => setTimeout(done, 5));
  };
  return {
    dial: async (address) => (peer = await probe.dial(address)),
    hangUp: async () => {
      probe.disconnect(peer);
      await gone();
    },
    roundTrips: async (count, pause) => [...(await probe.roundTrips(peer, count, pause))],
    roundTripsDuring: async (order, pause) => [...(await probe.roundTripsDuring(peer, order, pause))],
    bulk: (order) => probe.bulk(peer, order),
    shortStreams: (count, atOnce, bytes) => probe.shortStreams(peer, count, atOnce, bytes),
    hold: (count) => probe.hold(peer, count),
    release: () => probe.release(),
  };
}
