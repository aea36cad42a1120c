// The matrix as docs/security.md shows it: methods that are answered alike everywhere share a column.
import { kinds } from "./kinds.mjs";

const BEGIN = "<!-- made by tests/e2e/origins.test.mjs -->";
const END = "<!-- end of what it made -->";

/** What one kind says to one method, in all browsers. */
function cell(byBrowser, index, method) {
  const all = Object.entries(byBrowser).map(([browser, cells]) => [browser, cells[index] ? String(cells[index][method]) : "has none"]);
  const same = all.every(([, text]) => text === all[0][1]);
  return same ? all[0][1] : all.map(([browser, text]) => `${browser}: ${text}`).join("; ");
}

/**
 * @param {Record<string, object[]>} byBrowser what `matrix` returned, by the browser's name
 * @returns {string} Markdown
 */
export function table(byBrowser) {
  const methods = Object.keys(Object.values(byBrowser)[0][0]);
  const columns = new Map();
  for (const method of methods) {
    const column = kinds.map((_, index) => cell(byBrowser, index, method));
    const key = JSON.stringify(column);
    columns.set(key, { column, methods: [...(columns.get(key)?.methods ?? []), method] });
  }
  const all = [...columns.values()];
  const notes = all.filter(({ methods }) => methods.length > 1);
  const row = (...cells) => `| ${cells.join(" | ")} |`;
  const title = (one) => (notes.includes(one) ? `${one.methods.length} methods (${notes.indexOf(one) + 1})` : `\`${one.methods[0]}\``);
  const lines = [
    row("origin and embedding", ...all.map(title)),
    row("---", ...all.map(() => "---")),
    ...kinds.map(({ name }, index) => row(name, ...all.map(({ column }) => column[index]))),
    "",
    ...notes.flatMap(({ methods }, index) => [`(${index + 1}) ${methods.map((name) => `\`${name}\``).join(", ")}.`, ""]),
  ];
  return lines.join("\n").trimEnd();
}

/** The document with this table in its place. */
export function put(document, table) {
  const [before, rest] = split(document, BEGIN);
  const [, after] = split(rest, END);
  return `${before}${BEGIN}\n${table}\n${END}${after}`;
}

function split(text, marker) {
  const at = text.indexOf(marker);
  if (at < 0) throw new Error(`no ${marker}`);
  return [text.slice(0, at), text.slice(at + marker.length)];
}
