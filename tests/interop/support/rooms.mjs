// Rooms inside the test's namespace: who is in one reaches those outside of all rooms, and nobody in another.
import { spawn, spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { chromiumBinary } from "../../e2e/support/binaries.mjs";
import { discard, end, scratch } from "../../e2e/support/scratch.mjs";
import { until } from "../../e2e/support/wait.mjs";

function sh(commands) {
  const { status, stderr } = spawnSync("sh", ["-c", commands.join(" && ")], { encoding: "utf8" });
  if (status !== 0) throw new Error(`no room: ${stderr}`);
}

/**
 * A namespace of its own with a link to this one, which forwards nothing.
 * @param {number} n which one, 1 to 99
 */
export async function room(n) {
  // A new namespace forwards what the machine does.
  fs.writeFileSync("/proc/sys/net/ipv4/ip_forward", "0");
  // It lasts as long as somebody is in it.
  const holder = spawn("unshare", ["--net", "cat"], { stdio: ["pipe", "ignore", "inherit"] });
  const net = (pid) => fs.readlinkSync(`/proc/${pid}/ns/net`);
  await until("the namespace", () => net(holder.pid) !== net("self"));
  const inside = `nsenter --target ${holder.pid} --net --`;
  const [outer, inner] = [`10.${100 + n}.0.1`, `10.${100 + n}.0.2`];
  sh([
    `ip link add room${n} type veth peer name inner${n}`,
    `ip link set inner${n} netns ${holder.pid}`,
    `ip addr add ${outer}/24 dev room${n}`,
    `ip link set room${n} up`,
    `${inside} ip link set lo up`,
    `${inside} ip addr add ${inner}/24 dev inner${n}`,
    `${inside} ip link set inner${n} up`,
    `${inside} ip route add default via ${outer}`,
  ]);
  const folder = scratch("room");
  const executable = path.join(folder, "chromium");
  fs.writeFileSync(executable, `#!/bin/sh\nexec ${inside} "${chromiumBinary()}" "$@"\n`, { mode: 0o755 });
  return {
    /** Chromium that runs inside. */
    executable,
    close: async () => {
      await end(holder);
      discard(folder);
    },
  };
}
