// The other implementations, as processes, and our server beside them.
import { spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import readline from "node:readline";
import { root } from "../../e2e/support/binaries.mjs";
import { end } from "../../e2e/support/scratch.mjs";
import { startServer } from "../../e2e/support/server.mjs";
import { until } from "../../e2e/support/wait.mjs";

/** What addresses of each transport have in them, and no others. */
const TRANSPORTS = {
  "webrtc-direct": /\/webrtc-direct\/certhash\//,
  webtransport: /\/webtransport\/certhash\//,
  ws: /\/tcp\/\d+\/ws(\/p2p\/|$)/,
  tcp: /\/tcp\/\d+(\/p2p\/|$)/,
};

const jsPeer = path.join(root, "tests/interop/js/peer.mjs");

function goPeer() {
  const file = process.env.MOORING_GO_PEER ?? path.join(root, "target/interop/go-peer");
  if (!fs.existsSync(file)) throw new Error("no go-libp2p peer: run `cargo xtask test --only interop`, which builds it");
  return file;
}

const implementations = {
  go: (args) => [goPeer(), args],
  js: (args) => [process.execPath, [jsPeer, ...args]],
};

/** The address of a transport among those that a peer prints. */
export function addressOf(addresses, transport) {
  const found = addresses.find((each) => TRANSPORTS[transport].test(each));
  if (!found) throw new Error(`no ${transport} address among ${addresses.join(" ")}`);
  return found;
}

/**
 * Our server, listening with all it has.
 * @param {string[]} args further flags
 */
export async function server(args = []) {
  const running = await startServer({ args: ["--listen", "/ip4/127.0.0.1/tcp/0/ws", ...args] });
  await until("the server's three addresses", () => running.addresses.length === 3);
  return { ...running, on: (transport) => addressOf(running.addresses, transport) };
}

/** Starts a program that prints `count` lines about where it is, then runs until its stdin ends. */
async function start(what, command, args, count) {
  // Its stdin is a pipe of ours: when this process is gone, so is it.
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"] });
  const lines = [];
  const log = [];
  readline.createInterface({ input: child.stdout }).on("line", (line) => lines.push(line));
  readline.createInterface({ input: child.stderr }).on("line", (line) => log.push(line));
  try {
    await until(`${what} to listen`, () => {
      if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}: ${log.join("\n")}`);
      return lines.length >= count;
    }, 30_000);
  } catch (error) {
    await end(child);
    throw error;
  }
  return {
    lines,
    log,
    pid: child.pid,
    close: () => end(child),
    /** Without a goodbye. */
    kill: () => child.kill("SIGKILL"),
  };
}

/** A program that was started and prints multiaddrs. */
const peerOf = ({ lines, ...running }) => ({
  ...running,
  addresses: lines,
  on: (transport) => addressOf(lines, transport),
  peer: lines[0].split("/p2p/").at(-1),
});

/**
 * A listening peer of another implementation.
 * @param {"go" | "js"} implementation
 * @param {string[]} args further flags
 * @param {number} count addresses it should have
 */
export async function listen(implementation, args = [], count = implementation === "go" ? 4 : 3) {
  const [command, all] = implementations[implementation](["listen", ...args]);
  return peerOf(await start(`the ${implementation} peer`, command, all, count));
}

/** A program of bench/server, as cargo built it last. The environment wins: cargo xtask sets it. */
function benchBinary(name) {
  const file = path.join(process.env.MOORING_BENCH_SERVERS ?? path.join(root, "target/debug"), name);
  if (!fs.existsSync(file)) throw new Error(`no ${name}: \`cargo build -p mooring-bench-server\` makes it`);
  return file;
}

/**
 * Our server with the benchmarks' protocol, listening on webrtc-direct alone.
 * @param {string} host
 */
export async function benchServer(host = "127.0.0.1") {
  return peerOf(await start("the server", benchBinary("mooring-bench-server"), ["--address", host], 1));
}

/**
 * Plain data channels on pion, or on our own stack.
 * @param {"go" | "mooring"} stack
 * @returns with `url(port)`, what is dialed; `port` is a proxy's, if there is one between
 */
export async function rawServer(stack, host = "127.0.0.1") {
  const [command, args] = stack === "go"
    ? [goPeer(), ["raw", "--address", host]]
    : [benchBinary("mooring-raw-server"), ["--address", host]];
  const { lines, ...running } = await start(`the raw ${stack} server`, command, args, 1);
  const url = new URL(lines[0]);
  return {
    ...running,
    port: Number(url.searchParams.get("udp")),
    url: (port) => `${url.origin}/${port ? `?port=${port}` : ""}`,
  };
}

/**
 * A UDP proxy that is late and loses datagrams.
 * @param {object} path
 * @param {number} path.delay milliseconds added to a round trip
 * @param {number} path.loss percentage of the datagrams, each way
 * @returns with `port`
 */
export async function proxy(target, { delay = 0, loss = 0 }, host = "127.0.0.1") {
  const args = ["proxy", "--address", host, "--target", `${host}:${target}`, "--delay", `${delay}ms`, "--loss", `${loss}`];
  const { lines, ...running } = await start("the proxy", goPeer(), args, 1);
  return { ...running, port: Number(lines[0]) };
}

/**
 * A TURN server that is reached by TCP.
 * @returns with `server`, as the user writes it, and what it relayed so far
 */
export async function turn(host) {
  const [user, password] = ["boat", "harbour"];
  const { lines, ...running } = await start("the TURN server", goPeer(), ["turn", "--address", host, "--user", user, "--password", password], 1);
  return {
    ...running,
    server: `turn:${lines[0]}?transport=tcp ${user} ${password}`,
    /** Bytes, to the last 64 KiB. */
    relayed: () => Number(lines.findLast((line) => line.startsWith("relayed "))?.split(" ")[1] ?? 0),
    allocations: () => lines.filter((line) => line.startsWith("allocated ")).length,
  };
}

/**
 * Lets a peer of another implementation dial, ping and open echo streams.
 * @param {"go" | "js"} implementation
 * @param {string} address
 * @param {string[]} args see the peers' own headers
 * @returns what it prints; `ok` is false when anything went wrong
 */
export function dial(implementation, address, args = []) {
  const [command, all] = implementations[implementation](["dial", ...args, address]);
  return resultOf(command, all);
}

/** Runs a program that prints one line of JSON. */
export function resultOf(command, args, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], ...options });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (chunk) => (stdout += chunk));
    child.stderr.on("data", (chunk) => (stderr += chunk));
    child.once("error", reject);
    child.once("close", (code) => {
      try {
        resolve(JSON.parse(stdout));
      } catch {
        reject(new Error(`${command} ended with ${code} and no result: ${stdout}${stderr}`));
      }
    });
  });
}
