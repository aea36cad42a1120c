// Firefox does not do WebRTC to 127.0.0.1, and the machine's own network is not for tests: so a test that needs another
// local address runs itself again inside a network namespace, where one address leads nowhere else.
import { spawnSync } from "node:child_process";
import process from "node:process";

/** The address inside, on one end of a veth pair: private, and reachable from inside only. */
export const ADDRESS = "10.83.0.1";

/** One that is globally reachable by its looks, for peers that tell of no others: it leads nowhere else, either. */
export const GLOBAL = "9.83.0.1";

const setup = [
  "ip link set lo up",
  "ip link add mooring0 type veth peer name mooring1",
  `ip addr add ${ADDRESS}/24 dev mooring0`,
  `ip addr add ${GLOBAL}/32 dev mooring0`,
  "ip link set mooring0 up",
  "ip link set mooring1 up",
  // Without a route of its own a browser thinks itself offline.
  `ip route add default via ${ADDRESS}`,
].join(" && ");

/** Takes the inside's one link down, or up again with its route: the machine loses its network, and gets it back. */
export function link(up) {
  const commands = up ? ["ip link set mooring0 up", `ip route replace default via ${ADDRESS}`] : ["ip link set mooring0 down"];
  const { status, stderr } = spawnSync("sh", ["-c", commands.join(" && ")], { encoding: "utf8" });
  if (status !== 0) throw new Error(`the link did not change: ${stderr}`);
}

const inside = () => process.env.MOORING_NAMESPACE === "1";

/**
 * Call it before anything else in the file: outside it runs the file again, inside, and ends with that run's code.
 * @returns {string} the address to serve on
 */
export function enterNamespace() {
  if (inside()) return ADDRESS;
  const again = [process.execPath, ...process.execArgv, ...process.argv.slice(1)];
  const run = spawnSync("unshare", ["-Urn", "sh", "-c", `${setup} && exec "$@"`, "sh", ...again], {
    stdio: "inherit",
    env: { ...process.env, MOORING_NAMESPACE: "1" },
  });
  if (run.error) throw new Error("`unshare` is needed to make a network namespace", { cause: run.error });
  process.exit(run.status ?? 1);
}
