// What a page gets of the node, beside what the browser gives at best: `cargo xtask bench --page`.
import path from "node:path";
import { parseArgs } from "node:util";
import { root } from "../tests/e2e/support/binaries.mjs";
import { machine } from "./machine.mjs";
import { measure } from "./page-run.mjs";
import { table, write } from "./report.mjs";
import { interval, median } from "./stats.mjs";

const { values } = parseArgs({
  options: {
    pairs: { type: "string", default: "15" },
    bytes: { type: "string", default: "20000000" },
    tabs: { type: "string", default: "100" },
    write: { type: "boolean", default: false },
  },
});

const number = (value) => (Number.isFinite(value) ? value.toFixed(value < 10 ? 2 : 0) : "–");

async function main() {
  const options = {
    pairs: Number(values.pairs),
    bytes: Number(values.bytes),
    tabs: Number(values.tabs),
    say: (line) => process.stderr.write(`  - ${line}\n`),
  };
  const begun = performance.now();
  const { version, rows } = await measure(options);
  const section = [
    "## What a page gets",
    machine(version).map((line) => `- ${line}`).join("\n") +
      `\n- ${options.pairs} pairs, ${options.bytes / 1e6} MB a transfer, ${options.tabs} tabs; ${Math.round((performance.now() - begun) / 60_000)} min`,
    table(["what", "goal", "it is", "95 % of it", "ours", "beside", "kept"], rows.map(({ what, goal, kept, ratios, ours, theirs, unit }) => {
      const value = median(ratios);
      const [low, high] = interval(ratios);
      return [what, goal, number(value), `${number(low)} to ${number(high)}`, `${number(ours)} ${unit}`, `${number(theirs)} ${unit}`, kept ? (kept(value) ? "yes" : "no") : "–"];
    })),
  ].join("\n\n");
  process.stdout.write(`${section}\n`);
  if (values.write) write(path.join(root, "docs/benchmarks.md"), "page", section);
}

main().catch((error) => {
  process.stderr.write(`bench: ${error.stack ?? error}\n`);
  process.exitCode = 1;
});
