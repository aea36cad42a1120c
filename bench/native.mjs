// Our server beside go-libp2p's, both dialed by go-libp2p on loopback: `cargo xtask bench`. A table out, no verdict.
// Rounds alternate, so that whatever else the machine does hits both alike; each figure is a median.
import { dial, listen, server } from "../tests/interop/support/peers.mjs";

const ROUNDS = 5;
const STREAMS = 200;
/** Four echo streams of 0, ¼, ½ and ¾ of this: 1.5 times as much there, and as much back. */
const BULK = 16 * 1024 * 1024;
const BULK_STREAMS = 4;
const BULK_TOTAL = 1.5 * BULK;

const transports = ["webrtc-direct", "ws", "tcp"];
const columns = [
  ["dial, ms", (run) => run.many.dialMs],
  ["ping, ms", (run) => median(run.many.pingMs)],
  [`${STREAMS} streams in turn, ms`, (run) => run.many.sequential.ms],
  [`${STREAMS} streams at once, ms`, (run) => run.many.concurrent.ms],
  ["echo, MB/s each way", (run) => BULK_TOTAL / 1000 / run.bulk.sequential.ms],
];

function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted.length === 0 ? NaN : sorted[Math.floor(sorted.length / 2)];
}

async function measure(address) {
  const many = await dial("go", address, ["--pings", "20", "--sequential", `${STREAMS}`, "--concurrent", `${STREAMS}`]);
  const bulk = await dial("go", address, ["--pings", "0", "--sequential", `${BULK_STREAMS}`, "--bytes", `${BULK}`]);
  for (const result of [many, bulk]) if (!result.ok) throw new Error(`${address}: ${result.error}`);
  return { many, bulk };
}

async function main() {
  const ends = { mooring: await server(), "go-libp2p": await listen("go") };
  try {
    const rows = [];
    for (const transport of transports) {
      const runs = Object.fromEntries(Object.keys(ends).map((name) => [name, []]));
      for (let round = 1; round <= ROUNDS; round += 1) {
        for (const [name, end] of Object.entries(ends)) {
          process.stderr.write(`  - ${transport}, ${name}, round ${round} of ${ROUNDS}\n`);
          runs[name].push(await measure(end.on(transport)));
        }
      }
      for (const [name, measured] of Object.entries(runs)) {
        rows.push([transport, name, ...columns.map(([, figure]) => median(measured.map(figure)).toFixed(1))]);
      }
    }
    const table = [["transport", "server", ...columns.map(([title]) => title)], ...rows];
    const widths = table[0].map((_, column) => Math.max(...table.map((row) => row[column].length)));
    const line = (row) => `| ${row.map((cell, column) => cell.padEnd(widths[column])).join(" | ")} |`;
    const rule = `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`;
    process.stdout.write([line(table[0]), rule, ...table.slice(1).map(line), ""].join("\n"));
  } finally {
    await Promise.allSettled(Object.values(ends).map((end) => end.close()));
  }
}

main().catch((error) => {
  process.stderr.write(`bench: ${error.message}\n`);
  process.exitCode = 1;
});
