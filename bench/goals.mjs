// The promises, as ratios of one lane's figure to another's.

const of = (id, part, lane) => ({ id, part, lane });

/** `least` or `most`: what the median of the ratios is to be. */
export const goals = [
  ...["upload", "download"].flatMap((id) => [
    { title: `${id} to go-libp2p, of a raw channel to pion`, a: of(id, "value", "mooring > go"), b: of(id, "value", "raw > pion"), least: 0.95 },
    { title: `${id} to go-libp2p, of js-libp2p's`, a: of(id, "value", "mooring > go"), b: of(id, "value", "js-libp2p > go"), least: 1 },
    { title: `${id} to our server, of js-libp2p's to go-libp2p`, a: of(id, "value", "mooring > mooring"), b: of(id, "value", "js-libp2p > go"), least: 1.3 },
    { title: `${id} to our server, of a raw channel to its stack`, a: of(id, "value", "mooring > mooring"), b: of(id, "value", "raw > mooring's stack"), least: 0.9 },
  ]),
  { title: "dial of go-libp2p, of js-libp2p's", a: of("dial", "value", "mooring > go"), b: of("dial", "value", "js-libp2p > go"), most: 0.8 },
  { title: "dial of our server, of js-libp2p's", a: of("dial", "value", "mooring > mooring"), b: of("dial", "value", "js-libp2p > mooring"), most: 0.8 },
  ...[
    ["inTurn", "in turn"],
    ["atOnce", "at once"],
  ].flatMap(([part, words]) => [
    { title: `short streams ${words} to go-libp2p, of js-libp2p's`, a: of("streams", part, "mooring > go"), b: of("streams", part, "js-libp2p > go"), least: 3 },
    { title: `short streams ${words} to our server, of js-libp2p's`, a: of("streams", part, "mooring > mooring"), b: of("streams", part, "js-libp2p > mooring"), least: 3 },
  ]),
  ...["up", "down"].flatMap((way) =>
    ["mooring > go", "mooring > mooring"].map((lane) => ({
      title: `ping p95 beside ${way === "up" ? "an upload" : "a download"}, ${lane}, of the idle ping`,
      a: of(`ping-${way}`, "ratio", lane),
      most: 5,
    })),
  ),
];
