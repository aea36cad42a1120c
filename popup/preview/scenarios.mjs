// What the node could say to the popup, for looking at the page without a node.

const PEERS = [
  "12D3KooWGjMCwLbRsF5HsV9uQXAB8zyrCTqbtLEd5mvv1vfMFLqV",
  "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN",
  "12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X",
  "12D3KooWH3uVF6wv47WnArKHk5p6cvgCJEb74UTmxztmQDc298L3",
  "12D3KooWQYhTNQdmr3ArTeUHRYzFg94BKyTkoWBDWez9kSCVe2Xo",
  "12D3KooWLJtG8fd2hkQzTn96MrLvThmnNQjTUFZwGEsLRz5EmSzc",
  "12D3KooWSHj3RRbBjD15g6wekV8y3mm57Pobmps2g2WJm6F67Lay",
];
const OWN = "12D3KooWDMCQbZZvLgHiHntG1KwcHoqHPAxL37KvhgibWqFtpqUY";
const HASH = "uEiDikp5KVUgkLta1EjUN-IKbHk-dUBg8VzKgf5nXxLK46w";

const now = Date.now();
const ago = (minutes) => now - minutes * 60_000;

const base = {
  t: "snapshot",
  productVersion: "0.1.0",
  state: "online",
  reason: null,
  safeMode: false,
  paused: false,
  announcedEverywhere: true,
  iceServers: ["stun:stun.harbour.example:3478", "turn:turn.harbour.example:3478 boat rope"],
  identity: { state: "ready", peerId: OWN },
  addresses: [],
  relays: [],
  connections: [],
  peers: 0,
  sites: [],
};

const connection = (id, peerId, remoteAddress, rest) => ({
  id,
  peerId,
  remoteAddress,
  direction: "outbound",
  path: "direct",
  transport: "webrtc-direct",
  openedAt: ago(3),
  rttMs: 24.4,
  agent: "mooring-server/0.1.0",
  owners: ["user"],
  ...rest,
});

const connections = [
  connection("1", PEERS[0], `/ip4/203.0.113.9/udp/4001/webrtc-direct/certhash/${HASH}/p2p/${PEERS[0]}`, {}),
  connection("2", PEERS[1], `/dns4/relay.harbour.example/tcp/443/tls/ws/p2p/${PEERS[1]}`, {
    transport: "websocket",
    openedAt: ago(191),
    rttMs: 112.7,
    agent: "go-libp2p/0.51.0",
    owners: [],
  }),
  connection("3", PEERS[2], `/dns4/relay.harbour.example/tcp/443/tls/ws/p2p/${PEERS[1]}/p2p-circuit/p2p/${PEERS[2]}`, {
    path: "relayed",
    transport: "relay",
    direction: "inbound",
    openedAt: ago(0),
    rttMs: 231,
    agent: "mooring/0.1.0 (browser)",
    owners: [],
  }),
  connection("4", PEERS[3], `/ip6/2001:db8:85a3::8a2e:370:7334/udp/443/quic-v1/webtransport/certhash/${HASH}/certhash/${HASH}/p2p/${PEERS[3]}`, {
    transport: "webtransport",
    rttMs: 0.6,
    openedAt: ago(1570),
    agent: "kubo/0.39.0/a-very-long-name-that-somebody-chose-for-their-own-build",
    owners: ["https://chat.example", "https://a-rather-long-subdomain.files.example:8443", "http://localhost:3000", "user"],
  }),
  connection("5", PEERS[4], `/ip4/198.51.100.77/udp/9090/webrtc-direct/certhash/${HASH}/p2p/${PEERS[4]}`, {
    agent: null,
    rttMs: undefined,
    openedAt: ago(0),
    owners: ["https://chat.example"],
  }),
  connection("6", PEERS[5], `/ip4/192.168.1.20/udp/4001/webrtc-direct/certhash/${HASH}/p2p/${PEERS[5]}`, {
    rttMs: 1.8,
    openedAt: ago(12),
    owners: ["http://localhost:3000"],
  }),
  connection("7", PEERS[5], `/ip4/192.168.1.20/tcp/4002/ws/p2p/${PEERS[5]}`, {
    transport: "websocket",
    rttMs: 2.2,
    openedAt: ago(11),
    owners: ["http://localhost:3000", "user"],
  }),
  connection("8", PEERS[6], `/p2p/${PEERS[6]}`, {
    path: "direct",
    transport: "webrtc",
    direction: "inbound",
    rttMs: 1_240,
    openedAt: ago(44),
    agent: "js-libp2p/3.3.0 UserAgent=Mozilla",
    owners: [],
  }),
];

const sites = [
  {
    origin: "https://chat.example",
    granted: [
      { descriptor: { name: "identity" }, duration: "always", expiresAt: null },
      { descriptor: { name: "dial" }, duration: "always", expiresAt: null },
      { descriptor: { name: "streams", protocols: ["/chat/1.0.0", "/files/*"] }, duration: "session", expiresAt: null },
    ],
    denied: [{ name: "dial", privateNetwork: true }],
    documents: 2,
  },
  {
    origin: "http://localhost:3000",
    granted: [
      { descriptor: { name: "dial", privateNetwork: true }, duration: "hour", expiresAt: now + 42 * 60_000 },
      { descriptor: { name: "routing", write: true }, duration: "once", expiresAt: null },
    ],
    denied: [],
    documents: 1,
  },
  { origin: "https://nosy.example", granted: [], denied: [{ name: "identity" }, { name: "peers" }], documents: 0 },
];

const busy = {
  ...base,
  addresses: [
    `/dns4/relay.harbour.example/tcp/443/tls/ws/p2p/${PEERS[1]}/p2p-circuit/p2p/${OWN}`,
    `/ip4/203.0.113.9/udp/4001/webrtc-direct/certhash/${HASH}/p2p/${PEERS[0]}/p2p-circuit/webrtc/p2p/${OWN}`,
  ],
  relays: [
    { peerId: PEERS[1], reserved: true, failures: 0, cause: null, retryInMs: null },
    { peerId: PEERS[0], reserved: false, failures: 3, cause: "Reservation limit exceeded", retryInMs: 180_000 },
  ],
  connections,
  peers: 7,
  sites,
};

export const many = (number) => ({
  ...base,
  connections: Array.from({ length: number }, (_, n) =>
    connection(`c${n}`, `12D3KooW${String(n).padStart(44, "A")}`, connections[n % 8].remoteAddress, { rttMs: n + 0.5 }),
  ),
  peers: number,
});

const dialFailed = {
  code: 5001,
  message: "None of the addresses led to a connection.",
  data: { name: "DialFailed", detail: "webrtc-direct: no answer from 203.0.113.9:4001 in 10 s" },
};

/**
 * Each scenario: what the node says (null: it is not there), what is done on the page before it is looked at,
 * and how the system is set up.
 */
export const scenarios = {
  skeleton: { scripts: false },
  looking: { say: null, remembered: { peerId: OWN, state: "online", at: ago(7) } },
  starting: { say: { ...base, state: "starting", identity: { state: "loading" } } },
  empty: { say: base },
  busy: { say: busy },
  "busy-scrolled": { say: busy, async act(page) { await page.$eval("main", (main) => main.scrollTo(0, 1e6)); } },
  "settings-dark": {
    say: base,
    dark: true,
    async act(page) {
      await page.click('[data-testid="settings"] summary');
      await page.$eval("main", (main) => main.scrollTo(0, 1e6));
    },
  },
  "busy-dark": { say: busy, dark: true },
  "addresses-dark": { say: busy, dark: true, async act(page) { await page.click("summary"); } },
  paused: { say: { ...base, state: "offline", paused: true, sites } },
  offline: { say: { ...base, state: "offline", reason: "no network" } },
  failed: { say: { ...base, state: "failed", reason: "this browser has no WebRTC", identity: { state: "loading" } } },
  "dial-failed": {
    say: busy,
    answer: dialFailed,
    async act(page) {
      await page.type('[data-testid="dial-input"]', "/ip4/203.0.113.9/udp/4001/webrtc-direct/p2p/12D3KooWExample");
      await page.click('[data-testid="dial-button"]');
      await page.waitForSelector('[data-testid="dial-error"]');
    },
  },
  "hang-up-failed-dark": {
    say: busy,
    dark: true,
    answer: { code: 5004, message: "There is no connection to that peer.", data: { name: "NotFound" } },
    async act(page) {
      await page.click('[data-testid="hang-up"]');
      await page.waitForSelector('[data-testid="notice"]');
    },
  },
  damaged: {
    say: { ...base, state: "failed", identity: { state: "damaged", detail: "both slots are there, and neither has the checksum that it says" } },
  },
  "damaged-confirm-dark": {
    dark: true,
    say: { ...base, state: "failed", identity: { state: "damaged", detail: "both slots are there, and neither has the checksum that it says" } },
    async act(page) {
      await page.click('[data-testid="new-identity"]');
      await page.waitForSelector('[data-testid="new-identity-confirm"]');
    },
  },
  "safe-mode": {
    say: { ...base, state: "failed", safeMode: true, reason: "it crashed 5 times in a row; the last time: unreachable", identity: { state: "loading" } },
  },
  missing: {
    say: null,
    async act(page) {
      await page.waitForSelector('[data-state="missing"]');
    },
  },
  "gone-dark": {
    say: null,
    dark: true,
    async act(page) {
      await page.waitForSelector('[data-testid="reload"]', { timeout: 20_000 });
    },
  },
  "tab-dark": { say: busy, dark: true, size: { width: 1000, height: 900 } },
  many: { say: many(500) },
};
