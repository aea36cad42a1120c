// Samples into tables, and tables into docs/benchmarks.md.
import fs from "node:fs";
import { ratios, spread } from "./stats.mjs";

const number = (value) => {
  if (!Number.isFinite(value)) return "–";
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
};

export function table(head, rows) {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => row[column].length)));
  const line = (row) => `| ${row.map((cell, column) => cell.padEnd(widths[column])).join(" | ")} |`;
  return [line(head), `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`, ...rows.map(line)].join("\n");
}

/** Samples of all pairs: by path, figure, part and lane. */
export class Samples {
  #values = new Map();
  #failures = new Map();

  add(path, id, part, lane, pair, value) {
    const key = [path, id, part, lane].join("|");
    if (!this.#values.has(key)) this.#values.set(key, new Map());
    this.#values.get(key).set(pair, value);
  }

  fail(path, id, lane, reason) {
    const key = [path, id, lane].join("|");
    if (!this.#failures.has(key)) this.#failures.set(key, []);
    this.#failures.get(key).push(reason);
  }

  of = (path, id, part, lane) => this.#values.get([path, id, part, lane].join("|")) ?? new Map();

  failures = (path, id, lane) => this.#failures.get([path, id, lane].join("|")) ?? [];
}

/** Every figure of every lane. */
export function figuresTable(samples, paths, figures, lanes) {
  const rows = [];
  for (const path of paths) {
    for (const { id, titles } of figures) {
      for (const [part, title] of Object.entries(titles)) {
        for (const lane of lanes) {
          const { n, min, median, max } = spread([...samples.of(path.name, id, part, lane.name).values()]);
          const failures = samples.failures(path.name, id, lane.name);
          if (n === 0 && failures.length === 0) continue;
          const failed = failures.length > 0 ? `${failures.length} failed` : "";
          rows.push([path.name, title, lane.name, number(min), number(median), number(max), `${n}`, failed]);
        }
      }
    }
  }
  return table(["path", "figure", "who > whom", "min", "median", "max", "n", ""], rows);
}

/** The promises, and whether they are kept. */
export function goalsTable(samples, paths, goals) {
  const rows = [];
  for (const path of paths) {
    for (const { title, a, b, least, most } of goals) {
      const ours = samples.of(path.name, a.id, a.part, a.lane);
      const one = new Map([...ours.keys()].map((pair) => [pair, 1]));
      const { n, median, interval } = ratios(ours, b ? samples.of(path.name, b.id, b.part, b.lane) : one);
      if (n === 0) continue;
      const kept = least === undefined ? median <= most : median >= least;
      const goal = least === undefined ? `≤ ${most}` : `≥ ${least}`;
      rows.push([path.name, title, goal, number(median), `${number(interval[0])} to ${number(interval[1])}`, `${n}`, kept ? "yes" : "no"]);
    }
  }
  return table(["path", "what", "goal", "median of the ratios", "95 % of it", "pairs", "kept"], rows);
}

/** What went wrong and how often, once each. */
export function failuresList(samples, paths, figures, lanes) {
  const found = new Map();
  for (const path of paths) {
    for (const { id } of figures) {
      for (const lane of lanes) {
        for (const reason of samples.failures(path.name, id, lane.name)) {
          const key = `${lane.name}, ${id}: ${reason}`;
          found.set(key, (found.get(key) ?? 0) + 1);
        }
      }
    }
  }
  return [...found].map(([what, times]) => `- ${what} (${times} ×)`).join("\n");
}

/** Puts a section between its marks in a file, in the place of the one that is there. */
export function write(file, name, section) {
  const [open, close] = [`<!-- ${name}: cargo xtask bench writes this -->`, `<!-- ${name}: end -->`];
  const text = fs.existsSync(file) ? fs.readFileSync(file, "utf8") : "# Benchmarks\n";
  const whole = `${open}\n${section.trim()}\n${close}`;
  const [start, end] = [text.indexOf(open), text.indexOf(close)];
  const next = start >= 0 && end > start
    ? text.slice(0, start) + whole + text.slice(end + close.length)
    : `${text.trimEnd()}\n\n${whole}\n`;
  fs.writeFileSync(file, next);
}
