// Spellings of addresses that are not global, of a seeded generator with IANA's registries and the contract for its sources, and none
// of the node's code. Each comes with what `connections.dial` says to it without `privateNetwork`: 5007, or 5006 where it is no multiaddr,
// or one that nobody could dial.

const REFUSED = 5007;
const BAD = 5006;

const PEER = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA";
const RELAY = "12D3KooWR7EfNv5SLtgjMRjUwR8AvNu3hP4fLrtSa9fmHHXKYWNG";
const HASH = "uEiDDq4_xNyDorZBH3TlGazyJdOWSwvo4PUo5YHFMrvDE8g";
const ONION = "/onion3/vww6ybal4bd7szmgncyruucpgfkqahzddi37ktceo3ah7ngmcopnpyyd:1234";

/** The same numbers for the same seed, from 0 to 1 (mulberry32, a generator of 32 bits). */
function randomOf(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** IANA IPv4 Special-Purpose Address Registry, what is not globally reachable of it, and multicast: network and length. */
const V4 = [
  ["0.0.0.0", 8], ["10.0.0.0", 8], ["100.64.0.0", 10], ["127.0.0.0", 8], ["169.254.0.0", 16], ["172.16.0.0", 12], ["192.0.0.0", 29],
  ["192.0.2.0", 24], ["192.88.99.0", 24], ["192.168.0.0", 16], ["198.18.0.0", 15], ["198.51.100.0", 24], ["203.0.113.0", 24],
  ["224.0.0.0", 4], ["240.0.0.0", 4],
];

/** The IPv6 one, with what is not assigned and what is no unicast: the groups that are fixed, and how many bits of them. */
const V6 = [
  [[0, 0, 0, 0, 0, 0, 0, 0], 128], [[0, 0, 0, 0, 0, 0, 0, 1], 128], [[0x64, 0xff9b, 1], 48], [[0x100, 0, 0, 0], 64], [[0x100, 0, 0, 1], 64],
  [[0x2001, 0], 32], [[0x2001, 2, 0], 48], [[0x2001, 0x10], 28], [[0x2001, 0x20], 28], [[0x2001, 0xdb8], 32], [[0x2620, 0x4f, 0x8000], 48],
  [[0x3fff, 0], 20], [[0x4000], 3], [[0x5f00], 16], [[0x8000], 1], [[0xfc00], 7], [[0xfe80], 10], [[0xfec0], 10], [[0xff00], 8],
];

/** What the contract names, and what only home and company networks use. */
const SUFFIXES = [
  "local", "localhost", "lan", "internal", "home.arpa", "test", "example", "invalid", "onion", "alt", "localdomain", "home", "corp", "private",
  "intranet", "127.in-addr.arpa", "ip6.arpa",
];

const LABELS = ["printer", "nas", "router", "fritz", "db-1", "my_host", "xn--bcher-kva", "xn--mnchen-3ya", "a", "0x", "10", "www", "x".repeat(63)];
/** Those that no URL parser takes for numbers. */
const WORDS = LABELS.filter((label) => !/^(0x|[0-9])/.test(label));
const SINGLE = ["localhost", "printer", "nas", "router", "wpad", "xn--bcher-kva", "intranet", "host", "a-b", "_x", "gateway"];

/** ASCII, and what a URL parser makes into the same (UTS 46): full-width forms, circled letters, and a dot of another script. */
const wide = (text) => text.replace(/[!-~]/g, (one) => (one === "." ? "。" : String.fromCharCode(one.charCodeAt(0) + 0xfee0)));
const circled = (text) => text.replace(/[a-z]/g, (one) => String.fromCodePoint(0x24d0 + one.charCodeAt(0) - 97));
const escaped = (text) => text.replace(/[a-z0-9]/g, (one) => `%${one.charCodeAt(0).toString(16)}`);

/** @param {number} seed */
export function spellings(seed) {
  const random = randomOf(seed);
  const below = (count) => Math.floor(random() * count);
  const one = (all) => all[below(all.length)];
  const often = (chance) => random() < chance;
  const port = () => 1 + below(65_535);

  const octets = () => {
    const [network, length] = one(V4);
    const bits = network.split(".").reduce((sum, part) => sum * 256 + Number(part), 0) + below(2 ** (32 - length));
    return [24, 16, 8, 0].map((shift) => Math.floor(bits / 2 ** shift) % 256);
  };
  const dotted = () => octets().join(".");

  /** A number as a URL parser reads one: decimal, octal or hexadecimal. */
  const number = (value) => one([`${value}`, `0${value.toString(8)}`, `0x${value.toString(16)}`, `0X${value.toString(16).toUpperCase()}`, `0x00${value.toString(16)}`]);
  /** One to four of them, of which the last fills the rest. */
  const numbers = () => {
    const all = octets();
    const leading = below(4);
    const rest = all.slice(leading).reduce((sum, part) => sum * 256 + part, 0);
    return [...all.slice(0, leading), rest].map(number).join(".") + (often(0.2) ? "." : "");
  };

  const mixed = (text) => [...text].map((letter) => (often(0.5) ? letter.toUpperCase() : letter)).join("");
  const cased = (text) => one([text, text.toUpperCase(), mixed(text)]);

  /** Eight groups in one of their many spellings. */
  const spelledV6 = (groups) => {
    const hex = groups.map((group) => (often(0.2) ? group.toString(16).padStart(4, "0") : group.toString(16)));
    const tail = often(0.3);
    if (tail) hex.splice(6, 2, [groups[6] >> 8, groups[6] & 0xff, groups[7] >> 8, groups[7] & 0xff].join("."));
    // Any run of zeros may go, also the shorter one.
    const starts = hex.map((_, at) => at).filter((at) => /^0+$/.test(hex[at]) && !(tail && at > 5));
    if (starts.length === 0 || often(0.2)) return cased(hex.join(":"));
    const start = one(starts);
    let end = start + 1;
    while (end < (tail ? 6 : 8) && /^0+$/.test(hex[end])) end += 1;
    return cased(`${hex.slice(0, start).join(":")}::${hex.slice(end).join(":")}`);
  };
  const group = () => below(0x10000);
  const special6 = () => {
    const [fixed, length] = one(V6);
    const groups = Array.from({ length: 8 }, (_, at) => {
      const bits = Math.min(Math.max(length - at * 16, 0), 16);
      return (fixed[at] ?? 0) + below(2 ** (16 - bits));
    });
    return spelledV6(groups);
  };
  const embedding6 = () => {
    const [a, b, c, d] = octets();
    const [high, low] = [a * 256 + b, c * 256 + d];
    return spelledV6(one([
      [0, 0, 0, 0, 0, 0xffff, high, low],
      [0x64, 0xff9b, 0, 0, 0, 0, high, low],
      [0x2002, high, low, group(), group(), group(), group(), group()],
      [0, 0, 0, 0, 0, 0, high, low],
      [0, 0, 0, 0, 0xffff, 0, high, low],
    ]));
  };
  const any6 = () => (often(0.5) ? special6() : embedding6());

  const dns = () => one(["dns", "dns4", "dns6", "dns", "dnsaddr"]);
  const dots = () => one(["", "", ".", ".."]);
  const special = () => {
    const labels = Array.from({ length: 1 + below(3) }, () => one(LABELS));
    return `${cased([...labels, one(SUFFIXES)].join("."))}${dots()}`;
  };
  const single = () => `${cased(one([...SINGLE, ...SUFFIXES.filter((name) => !name.includes("."))]))}${dots()}`;
  const disguised = () => {
    const plain = one([`printer.${one(SUFFIXES)}`, one(SINGLE), dotted(), "localhost"]);
    const text = one([wide, circled, escaped, (text) => `${text.slice(0, 1)}\u00ad${text.slice(1)}`, (text) => text.replace(/[0-9a-z]/, wide)])(plain);
    // Numbers have no letters to circle.
    return text === plain ? wide(plain) : text;
  };

  /** What a host's part is followed by; the class of the host is judged first, whether the transport is there or not. */
  const tail = () => one([
    () => `/tcp/${port()}/ws`,
    () => `/tcp/${port()}/wss`,
    () => `/tcp/${port()}/tls/ws`,
    () => `/tcp/${port()}/tls/sni/libp2p.io/ws`,
    () => `/udp/${port()}/webrtc-direct/certhash/${HASH}`,
    () => `/udp/${port()}/quic-v1/webtransport/certhash/${HASH}/certhash/${HASH}`,
    () => `/udp/${port()}/quic-v1/webtransport`,
    () => `/udp/${port()}/quic-v1`,
    () => `/tcp/${port()}`,
    () => `/tcp/${port()}/x-parity-ws/${encodeURIComponent("/@9.9.9.9/")}`,
    () => "",
  ])();
  const peer = () => one([`/p2p/${PEER}`, `/p2p/${PEER}`, `/ipfs/${PEER}`, ""]);
  const circuit = () => one([`/p2p-circuit/p2p/${PEER}`, `/p2p-circuit/webrtc/p2p/${PEER}`, "/p2p-circuit", "/p2p-circuit/webrtc"]);

  /** Kinds of hosts that are refused, by name. */
  const hosts = {
    "IPv4": () => `/ip4/${dotted()}`,
    "IPv6": () => `/ip6/${special6()}`,
    "IPv4 within IPv6": () => `/ip6/${embedding6()}`,
    "a zone": () => `/ip6zone/${one(["eth0", "lo", "1", "wlan0"])}/ip6/${any6()}`,
    "a name of no public domain": () => `/${dns()}/${special()}`,
    "a single label": () => `/${dns()}/${single()}`,
    "numbers as a name": () => `/${dns()}/${often(0.2) ? dotted() : numbers()}`,
    "IPv6 as a name": () => `/${dns()}/${often(0.5) ? `[${any6()}]` : any6()}`,
    "a name in disguise": () => `/${dns()}/${disguised()}`,
  };
  const host = () => one(Object.values(hosts))();
  const global = () => one([`/ip4/9.9.9.9`, `/ip6/2620:fe::9`, `/dns4/libp2p.io`, `/dns/bootstrap.libp2p.io`]);

  const kinds = Object.fromEntries(Object.entries(hosts).map(([kind, host]) => [kind, [REFUSED, () => [`${host()}${tail()}${peer()}`]]]));
  Object.assign(kinds, {
    "a relay at one": [REFUSED, () => [`${host()}${tail()}/p2p/${RELAY}${circuit()}`]],
    "one behind a relay": [REFUSED, () => [`${global()}/tcp/443/wss/p2p/${RELAY}/p2p-circuit${host()}${tail()}${peer()}`]],
    "several": [REFUSED, () => Array.from({ length: 2 + below(7) }, () => `${host()}${tail()}/p2p/${PEER}`)],
    "beside one that is none": [REFUSED, () => [one(["/ip4/010.0.0.1/tcp/1/ws", "", "/", "/ip4"]), `${host()}${tail()}`]],
    "no multiaddr": [BAD, () => [one([
      () => `/ip4/${numbers().replace(/^(\d{1,3}\.){3}\d{1,3}$/, "0$&")}${tail()}`,
      () => `/ip4/${one(SINGLE)}${tail()}`,
      () => `/ip4/${wide(dotted())}${tail()}`,
      () => `/ip4/${dotted()}.${tail()}`,
      () => `/ip4/${dotted()}/tcp/${65_536 + below(100_000)}/ws`,
      () => `/ip4/ ${dotted()}${tail()}`,
      () => `/ip4/${dotted()}${tail()}/`,
      () => `/ip6/[${any6()}]${tail()}`,
      () => `/ip6/${any6()}%25eth0${tail()}`,
      () => `/ip6/fe80::1%eth0${tail()}`,
      () => `/ip6/${dotted()}${tail()}`,
      () => `ip4/${dotted()}${tail()}`,
      () => `http://${dotted()}/`,
      () => `/dns4/${"a.".repeat(1_100)}local/tcp/1/ws`,
    ])()]],
    "no name": [BAD, () => [`/${dns()}/${one([
      () => `${256 + below(1_000)}.${below(256)}`,
      () => `${dotted()}.${below(256)}`,
      () => `${one(WORDS)}.${below(256)}`,
      () => `127.0.0.${one(["08", "09", "0189"])}`,
      () => `${2 ** 32 + below(2 ** 32)}`,
      () => `${one(LABELS)}..${one(SUFFIXES)}`,
      () => `.${one(SUFFIXES)}`,
      () => `user@${special()}`,
      () => `${one(SINGLE)}:${port()}`,
      () => `${dotted()}#`,
      () => `${dotted()}?`,
      () => `${dotted()}\\`,
      () => `a b.${one(SUFFIXES)}`,
      () => `${"a".repeat(64)}.local`,
      () => "",
    ])()}/tcp/${port()}/wss${peer()}`]],
    "no host": [BAD, () => [one([
      () => `/unix/${one(["tmp", "var"])}`,
      () => `/memory/${below(1_000)}`,
      () => ONION,
      () => `/tcp/${port()}/ws`,
      () => `/p2p/${RELAY}${circuit()}`,
      () => circuit(),
      () => `/sni/localhost/tcp/${port()}/ws`,
    ])()]],
  });

  const names = Object.keys(kinds);
  let next = 0;
  return {
    kinds: names,
    /** The next one: of each kind in turn. */
    next() {
      const kind = names[next++ % names.length];
      const [code, make] = kinds[kind];
      return { kind, code, addresses: make() };
    },
  };
}
