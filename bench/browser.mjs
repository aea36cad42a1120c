// Pages that dial, measured beside each other: `cargo xtask bench`.
import path from "node:path";
import { parseArgs } from "node:util";
import { root } from "../tests/e2e/support/binaries.mjs";
import { enterNamespace } from "../tests/e2e/support/namespace.mjs";
import { DIAL, figures } from "./figures.mjs";
import { goals } from "./goals.mjs";
import { lanes, paths } from "./lanes.mjs";
import { machine } from "./machine.mjs";
import { joined, run } from "./run.mjs";
import { MEMORY } from "./memory.mjs";
import { failuresList, figuresTable, goalsTable, write } from "./report.mjs";

/** Fewer, or smaller: good to see that it works, not to be written down. */
const PAIRS = 15;
const BYTES = 100_000_000;
const STREAMS = 1_000;

const { values } = parseArgs({
  options: {
    browser: { type: "string", default: "chrome" },
    pairs: { type: "string", default: `${PAIRS}` },
    bytes: { type: "string", default: `${BYTES}` },
    streams: { type: "string", default: `${STREAMS}` },
    figure: { type: "string", multiple: true },
    lane: { type: "string", multiple: true },
    path: { type: "string", multiple: true },
    write: { type: "boolean", default: false },
    join: { type: "boolean", default: false },
  },
});

/** Those of a list that were asked for by name; all, if none was. */
function chosen(what, all, names, wanted) {
  if (!wanted) return all;
  for (const name of wanted) {
    if (!all.some((each) => names(each) === name)) {
      throw new Error(`--${what} ${name}: ${all.map((each) => `"${names(each)}"`).join(", ")}`);
    }
  }
  return all.filter((each) => wanted.includes(names(each)));
}

async function main() {
  const host = values.browser === "firefox" ? enterNamespace() : "127.0.0.1";
  const everything = [DIAL, ...figures, MEMORY];
  const options = {
    browser: values.browser,
    host,
    pairs: Number(values.pairs),
    bytes: Number(values.bytes),
    streams: Number(values.streams),
    figures: chosen("figure", everything, ({ id }) => id, values.figure),
    lanes: chosen("lane", lanes, ({ name }) => name, values.lane),
    paths: chosen("path", paths, ({ name }) => name, values.path),
    say: (line) => process.stderr.write(`  - ${line}\n`),
  };
  const { samples: measured, version } = await run(options);
  const all = values.join && joined(options);
  const samples = all ? all.samples : measured;
  const [shown, between, lanesOf] = all ? [everything, paths, lanes] : [options.figures, options.paths, options.lanes];
  const failed = failuresList(samples, between, shown, lanesOf);
  const section = [
    `## ${values.browser === "firefox" ? "Firefox" : "Chromium"}`,
    machine(version).map((line) => `- ${line}`).join("\n"),
    `- ${all ? `as many pairs as each row says, of ${all.pairs} in several runs` : `${options.pairs} pairs`}; ${options.bytes / 1e6} MB a transfer and ${options.streams} short streams at 0 ms, ` +
      between.filter(({ share }) => share < 1).map(({ name, share }) => `1/${Math.round(1 / share)} of it at ${name}`).join(", "),
    "### Goals",
    goalsTable(samples, between, goals),
    "### Figures",
    figuresTable(samples, between, shown, lanesOf),
    ...(failed ? ["### What failed", failed] : []),
  ].join("\n\n").replace(/\n\n(- (\d+|as many) pairs)/, "\n$1");
  process.stdout.write(`${section}\n`);
  const whole = !values.figure && !values.lane && !values.path && options.pairs >= PAIRS && options.bytes >= BYTES && options.streams >= STREAMS;
  if (whole || values.write) write(path.join(root, "docs/benchmarks.md"), values.browser, section);
  else options.say("docs/benchmarks.md stays as it is: this was not the whole of it (or say --write)");
}

main().catch((error) => {
  process.stderr.write(`bench: ${error.stack ?? error}\n`);
  process.exitCode = 1;
});
