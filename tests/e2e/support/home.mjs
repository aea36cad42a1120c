// The program of examples/home, with a folder of its own.
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import readline from "node:readline";
import { root } from "./binaries.mjs";
import { discard, end, scratch } from "./scratch.mjs";
import { until } from "./wait.mjs";

const program = path.join(root, "target/debug/home-server");

/** Starts it; `restart` starts it anew with the same folder and at the same port. */
export async function startHome(t) {
  const folder = scratch("home");
  t.after(() => discard(folder));
  let listen = "/ip4/127.0.0.1/udp/0/webrtc-direct";
  let child;
  let link;
  const start = async () => {
    child = spawn(program, [folder, listen], { stdio: ["ignore", "pipe", "pipe"] });
    let said = "";
    link = undefined;
    readline.createInterface({ input: child.stdout }).on("line", (line) => (link ??= line));
    child.stderr.on("data", (data) => (said += data));
    await until("the program to print its link", () => {
      if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}: ${said}`);
      return link;
    });
    listen = link.slice(0, link.indexOf("/certhash/"));
  };
  t.after(() => end(child));
  await start();
  const file = (name) => path.join(folder, `${name}.txt`);
  return {
    link: () => link,
    write: (name, text) => fs.writeFileSync(file(name), text),
    exists: (name) => fs.existsSync(file(name)),
    hash: (name) => hash(fs.readFileSync(file(name))),
    stop: () => end(child),
    start,
  };
}

export const hash = (bytes) => createHash("sha256").update(bytes).digest("hex");
