// Endurance: what only shows after hours. `cargo xtask soak <campaign>`, and `cargo xtask faults <campaign>`.
//
// Each run is appended to target/soak/<campaign>.jsonl (target/faults/…), and a campaign that was broken off goes on where it ended.
import fs from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import { root } from "../tests/e2e/support/binaries.mjs";
import { enterNamespace } from "../tests/e2e/support/namespace.mjs";
import { campaigns } from "./campaigns.mjs";
import { faults } from "./faults.mjs";
import { flood } from "./flood.mjs";
import { hosts } from "./hosts.mjs";
import { machine } from "./machine.mjs";
import { meetings } from "./meetings.mjs";
import { spellings } from "./spellings.mjs";
import { tabs } from "./tabs.mjs";

/** Those of pages that dial, those of two browsers with the extension, and those of its pages. */
const all = { ...campaigns, ...meetings, ...faults, flood, hosts, spellings, tabs };

/** Those of a network of their own. */
const apart = { ...meetings, spellings };

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    browser: { type: "string", default: "chrome" },
    remote: { type: "string", default: "mooring" },
    count: { type: "string" },
    bytes: { type: "string" },
    rate: { type: "string" },
    anew: { type: "boolean", default: false },
  },
});

/** What was done before, by the same campaign under the same conditions. */
function journal(name, conditions) {
  const folder = path.join(root, Object.hasOwn(faults, name) ? "target/faults" : "target/soak");
  fs.mkdirSync(folder, { recursive: true });
  const file = path.join(folder, `${name}.jsonl`);
  const same = JSON.stringify(conditions);
  const lines = fs.existsSync(file) ? fs.readFileSync(file, "utf8").trim().split("\n") : [];
  const all = lines.filter(Boolean).map((line) => JSON.parse(line)).filter((run) => JSON.stringify(run.conditions) === same);
  const lastFresh = all.findLastIndex(({ anew }) => anew);
  const done = values.anew ? [] : all.slice(Math.max(lastFresh, 0));
  return {
    file,
    done,
    add(run) {
      const entry = { ...run, ...(done.length === 0 ? { anew: true } : {}), conditions, at: new Date().toISOString() };
      done.push(entry);
      fs.appendFileSync(file, `${JSON.stringify(entry)}\n`);
    },
  };
}

async function main() {
  const [name] = positionals;
  const campaign = Object.hasOwn(all, name ?? "") && all[name];
  if (!campaign) throw new Error(`which campaign? ${Object.keys(all).join(", ")}`);
  const host = values.browser === "firefox" || Object.hasOwn(apart, name) ? enterNamespace() : "127.0.0.1";
  const options = {
    host,
    browser: values.browser,
    remote: values.remote,
    count: Number(values.count ?? campaign.count),
    bytes: Number(values.bytes ?? campaign.bytes),
    ...(campaign.rate ? { rate: Number(values.rate ?? campaign.rate) } : {}),
    say: (line) => process.stderr.write(`  - ${line}\n`),
  };
  const { browser, remote, count, bytes, rate } = options;
  const log = journal(name, { browser, remote, count, bytes, rate });
  if (log.done.length > 0) options.say(`${log.done.length} runs are in ${path.relative(root, log.file)}: going on (--anew starts over)`);
  const version = await campaign.run(options, log);
  const { kept, lines } = campaign.judge(log.done, options);
  process.stdout.write(
    [`${name}: ${campaign.title(options)}`, ...machine(version ?? browser), "", ...lines, kept ? "kept" : "NOT kept", ""].join("\n"),
  );
  if (!kept) process.exitCode = 1;
}

main().catch((error) => {
  process.stderr.write(`soak: ${error.stack ?? error}\n`);
  process.exitCode = 1;
});
