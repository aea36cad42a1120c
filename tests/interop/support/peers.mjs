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

/**
 * A listening peer of another implementation.
 * @param {"go" | "js"} implementation
 * @param {string[]} args further flags
 * @param {number} count addresses it should have
 */
export async function listen(implementation, args = [], count = implementation === "go" ? 4 : 3) {
  const [command, all] = implementations[implementation](["listen", ...args]);
  // Its stdin is a pipe of ours: when this process is gone, so is it.
  const child = spawn(command, all, { stdio: ["pipe", "pipe", "pipe"] });
  const addresses = [];
  const log = [];
  readline.createInterface({ input: child.stdout }).on("line", (line) => addresses.push(line));
  readline.createInterface({ input: child.stderr }).on("line", (line) => log.push(line));
  try {
    await until(`the ${implementation} peer to listen`, () => {
      if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}: ${log.join("\n")}`);
      return addresses.length >= count;
    }, 30_000);
  } catch (error) {
    await end(child);
    throw error;
  }
  return {
    addresses,
    log,
    on: (transport) => addressOf(addresses, transport),
    peer: addresses[0].split("/p2p/").at(-1),
    close: () => end(child),
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
