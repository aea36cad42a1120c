// The native server as a test's other end.
import { spawn } from "node:child_process";
import readline from "node:readline";
import { serverBinary } from "./binaries.mjs";
import { discard, end, scratch } from "./scratch.mjs";
import { until } from "./wait.mjs";

/**
 * @param {object} [options]
 * @param {string} [options.host] the IPv4 address to listen on
 * @param {string[]} [options.args] further flags
 */
export async function startServer({ host = "127.0.0.1", args = [] } = {}) {
  const data = scratch("server");
  const listen = [`/ip4/${host}/udp/0/webrtc-direct`, `/ip4/${host}/tcp/0`];
  const child = spawn(
    serverBinary(),
    [...listen.flatMap((address) => ["--listen", address]), "--data-dir", data, "--enable", "echo,perf", ...args],
    { stdio: ["ignore", "pipe", "pipe"] },
  );
  const addresses = [];
  const log = [];
  readline.createInterface({ input: child.stdout }).on("line", (line) => addresses.push(line.trim()));
  readline.createInterface({ input: child.stderr }).on("line", (line) => log.push(line));
  const close = async () => {
    await end(child);
    discard(data);
  };
  try {
    await until("the server to listen", () => {
      if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode}:\n${log.join("\n")}`);
      return addresses.some((each) => each.includes("/webrtc-direct/certhash/"));
    });
  } catch (error) {
    await close();
    throw error;
  }
  const address = addresses.find((each) => each.includes("/webrtc-direct/certhash/"));
  const count = (what) => log.filter((line) => line.includes(what)).length;
  return {
    address,
    addresses,
    peer: address.split("/p2p/").at(-1),
    log,
    /** Connections that the server ever had, and how many of them ended. */
    opened: () => count("connection opened"),
    closed: () => count("connection closed"),
    /** What its metrics say now, the value of each series; with `--metrics 127.0.0.1:0` among `args`. */
    async metrics() {
      const port = /metrics at .*address=127\.0\.0\.1:(\d+)/.exec(log.join("\n"))?.[1];
      const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
      const samples = text.split("\n").filter((line) => line && !line.startsWith("#"));
      return Object.fromEntries(samples.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ")))]));
    },
    close,
    /** Without a goodbye; `close` is still to be called. */
    kill: () => child.kill("SIGKILL"),
  };
}
