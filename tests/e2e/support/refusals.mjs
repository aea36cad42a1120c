// Dials that are refused: what the page is told, and what the machine sends meanwhile.
import { spawnSync } from "node:child_process";
import fs from "node:fs";

/** Requests of a page in flight: as many as the contract promises. */
const IN_FLIGHT = 64;

/** Gives the namespace a way for global IPv6 addresses too, so that a packet to one would be sent. */
export function routeIpv6() {
  const commands = "ip -6 addr add fd83::1/64 dev mooring0 nodad && ip -6 route add default dev mooring0";
  const { status, stderr } = spawnSync("sh", ["-c", commands], { encoding: "utf8" });
  if (status !== 0) throw new Error(`no route for IPv6: ${stderr}`);
}

/**
 * What this network namespace has sent since it was made, to wherever: connections begun by TCP and datagrams of UDP, by the kernel's own
 * count. Whatever a node dials or resolves begins with one of them.
 */
export function sent() {
  const lines = fs.readFileSync("/proc/net/snmp", "utf8").split("\n").map((line) => line.split(" "));
  const value = (protocol, name) => {
    const [names, values] = lines.filter(([first]) => first === `${protocol}:`);
    return Number(values[names.indexOf(name)]);
  };
  const udp6 = /^Udp6OutDatagrams\s+(\d+)$/m.exec(fs.readFileSync("/proc/net/snmp6", "utf8"));
  // TCP counts both versions of IP together.
  return { tcp: value("Tcp", "ActiveOpens"), udp: value("Udp", "OutDatagrams") + Number(udp6[1]) };
}

/** In the page: dials all of these, many at once, and waits whenever it is told to; the answers, in order. */
async function dialAll(dials, inFlight) {
  const answers = [];
  let next = 0;
  const work = async () => {
    while (next < dials.length) {
      const index = next++;
      for (;;) {
        const { error } = await window.node.request("connections.dial", { addresses: dials[index], timeoutMs: 2_000 });
        if (error?.code !== 5005) {
          answers[index] = error?.code ?? "connected";
          break;
        }
        await new Promise((done) => setTimeout(done, error.data.retryAfterMs));
      }
    }
  };
  await Promise.all(Array.from({ length: inFlight }, work));
  return answers;
}

/** @returns the code of each answer */
export const codes = (page, dials) => page.evaluate(dialAll, dials, IN_FLIGHT);

/**
 * Dials that many spellings.
 * @param {{ next: () => { kind: string, code: number, addresses: string[] } }} generator
 * @returns the answers by kind and code, those that were wrong, and what was sent meanwhile
 */
export async function refuse(page, generator, count) {
  const all = Array.from({ length: count }, () => generator.next());
  const before = sent();
  const answers = await codes(page, all.map(({ addresses }) => addresses));
  const after = sent();
  const byKind = {};
  for (const [index, { kind }] of all.entries()) {
    byKind[kind] ??= {};
    byKind[kind][answers[index]] = (byKind[kind][answers[index]] ?? 0) + 1;
  }
  const wrong = all.map((each, index) => ({ ...each, answer: answers[index] })).filter(({ code, answer }) => code !== answer);
  return { byKind, wrong, sent: { tcp: after.tcp - before.tcp, udp: after.udp - before.udp } };
}

/** In the page: dials two addresses in turn; what both are told, without the address itself, and the milliseconds of each. */
async function inTurn(addresses, rounds) {
  const seen = addresses.map(() => ({ told: new Set(), times: [] }));
  for (let round = 0; round < rounds; round += 1) {
    for (const [index, address] of addresses.entries()) {
      const { result, error, ms } = await window.node.request("connections.dial", { addresses: [address] });
      seen[index].told.add(JSON.stringify(result ?? error).replaceAll(address, "that address"));
      seen[index].times.push(ms);
    }
  }
  return seen.map(({ told, times }) => ({ told: [...told], times }));
}

/** What a page can learn from two addresses by dialing both that often: `told` of each, and its `times` in milliseconds. */
export const compare = (page, addresses, rounds) => page.evaluate(inTurn, addresses, rounds);
