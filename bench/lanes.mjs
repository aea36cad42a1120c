// Who dials whom, and over what path.
import { benchServer, listen, proxy, rawServer } from "../tests/interop/support/peers.mjs";

/**
 * What a page dials. `stack` is the end that answers, `raw` that it serves data channels without libp2p.
 */
const remotes = {
  go: { stack: "go-libp2p", start: (host) => listen("go", ["--address", host, "--listen", `/ip4/${host}/udp/0/webrtc-direct`], 1) },
  mooring: { stack: "mooring-server", start: benchServer },
  "raw-go": { stack: "pion, raw", start: (host) => rawServer("go", host), raw: true },
  "raw-mooring": { stack: "mooring's stack, raw", start: (host) => rawServer("mooring", host), raw: true },
};

/** Each is measured beside the others, in every pair. */
export const lanes = [
  { name: "mooring > go", kind: "mooring", remote: "go" },
  { name: "js-libp2p > go", kind: "js-libp2p", remote: "go" },
  { name: "upstream > go", kind: "upstream", remote: "go" },
  { name: "raw > pion", kind: "raw", remote: "raw-go" },
  { name: "mooring > mooring", kind: "mooring", remote: "mooring" },
  { name: "js-libp2p > mooring", kind: "js-libp2p", remote: "mooring" },
  { name: "upstream > mooring", kind: "upstream", remote: "mooring" },
  { name: "raw > mooring's stack", kind: "raw", remote: "raw-mooring" },
];

/** What lies between. `share`: of the bytes and of the streams, so that no path takes hours. */
export const paths = [
  { name: "0 ms", delay: 0, loss: 0, share: 1 },
  { name: "20 ms", delay: 20, loss: 0, share: 1 / 5 },
  { name: "100 ms", delay: 100, loss: 0, share: 1 / 10 },
  { name: "20 ms, 1 % lost", delay: 20, loss: 1, share: 1 / 20 },
];

/**
 * Starts the remotes that some lanes need, and what lies between.
 * @returns `address(path, lane)`, `pid(lane)`, `close()`
 */
export async function start(wanted, wantedPaths, host) {
  const running = new Map();
  const proxies = new Map();
  const close = () =>
    Promise.allSettled([...running.values(), ...proxies.values()].map((each) => each.close()));
  try {
    for (const name of new Set(wanted.map(({ remote }) => remote))) {
      const remote = await remotes[name].start(host);
      running.set(name, remote);
      const port = remotes[name].raw ? remote.port : Number(/\/udp\/(\d+)\//.exec(remote.on("webrtc-direct"))[1]);
      for (const path of wantedPaths) {
        if (path.delay || path.loss) proxies.set(`${path.name} ${name}`, await proxy(port, path, host));
      }
    }
  } catch (error) {
    await close();
    throw error;
  }
  return {
    address(path, { remote: name }) {
      const remote = running.get(name);
      const between = proxies.get(`${path.name} ${name}`)?.port;
      if (remotes[name].raw) return remote.url(between);
      const address = remote.on("webrtc-direct");
      return between ? address.replace(/\/udp\/\d+\//, `/udp/${between}/`) : address;
    },
    pid: ({ remote }) => running.get(remote).pid,
    close,
  };
}
