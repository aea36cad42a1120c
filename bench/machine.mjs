// What the figures were measured on.
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import { root } from "../tests/e2e/support/binaries.mjs";

const said = (command, ...args) => {
  try {
    return execFileSync(command, args, { encoding: "utf8", cwd: root, stdio: ["ignore", "pipe", "ignore"] }).trim();
  } catch {
    return "unknown";
  }
};

function system() {
  try {
    return /^PRETTY_NAME="?([^"\n]*)/m.exec(fs.readFileSync("/etc/os-release", "utf8"))[1];
  } catch {
    return os.type();
  }
}

/** Lines of text; `browser` is its name and version. */
export function machine(browser) {
  const processors = os.cpus();
  return [
    `${processors.length} × ${processors[0]?.model.trim() ?? "unknown processor"}, ${Math.round(os.totalmem() / 2 ** 30)} GiB, ${system()}, Linux ${os.release()}`,
    `${browser}, headless; Node ${process.version}; ${said("go", "version")}; ${said("rustc", "--version")}`,
    `commit ${said("git", "rev-parse", "--short", "HEAD")}, ${new Date().toISOString().slice(0, 10)}`,
  ];
}

/** How busy the machine is with other things: figures of a busy one are worth little. */
export const load = () => os.loadavg()[0];
