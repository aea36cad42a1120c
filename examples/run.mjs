// Opens an example in two browsers that each have the extension, with a server of ours as their relay:
//
//   node run.mjs --example chat|file-drop --browser chrome|firefox --extension <folder> --server-program <file>
//
// The second browser opens the link that the first one's page shows, as somebody would who was sent it.
import path from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { launchChromium } from "../tests/e2e/support/chromium.mjs";
import { launchFirefox } from "../tests/e2e/support/firefox.mjs";
import { startServer } from "../tests/e2e/support/server.mjs";
import { reachable } from "./reachable.mjs";
import { serve } from "./serve.mjs";

const { values } = parseArgs({
  options: {
    example: { type: "string" },
    browser: { type: "string", default: "chrome" },
    extension: { type: "string" },
    "server-program": { type: "string" },
  },
});

const say = (line) => process.stderr.write(`  - ${line}\n`);

async function main() {
  if (!["chat", "file-drop"].includes(values.example)) throw new Error("--example is chat or file-drop");
  if (values["server-program"]) process.env.MOORING_SERVER = path.resolve(values["server-program"]);
  const launch = values.browser === "firefox" ? launchFirefox : launchChromium;
  const options = { headless: false, ...(values.extension && { extension: path.resolve(values.extension) }) };
  const server = await startServer({ host: values.browser === "firefox" ? "0.0.0.0" : "127.0.0.1" });
  const site = await serve(values.example);
  const launched = [];
  try {
    launched.push(await launch(options));
    const url = new URL(site.url);
    url.searchParams.set("server", reachable(server, values.browser));
    const page = await launched[0].open(url.href);
    say(`the page: ${url.href}`);
    say("Start in the first browser, and answer the window that asks for permission: the second opens with its link then.");
    say("Close a browser, or press Ctrl-C here, to end.");
    const closed = new Promise((done) => launched[0].browser.once("disconnected", done));
    const link = await Promise.race([
      closed,
      page.waitForFunction(() => document.getElementById("link").value, { timeout: 0, polling: 250 }).then((value) => value.jsonValue()),
    ]);
    if (!link) return;
    launched.push(await launch(options));
    await launched[1].open(link);
    await Promise.race([closed, new Promise((done) => launched[1].browser.once("disconnected", done))]);
  } finally {
    await Promise.all(launched.map((each) => each.close().catch(() => undefined)));
    await site.close();
    await server.close();
  }
}

main().catch((error) => {
  process.stderr.write(`example: ${error.message}\n`);
  process.exitCode = 1;
});
