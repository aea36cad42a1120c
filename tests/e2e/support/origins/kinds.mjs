// Origins and embeddings: what the contract serves ("Who may talk" in docs/page-api.md), each way around it that a page or a server has,
// and each way near to a site that holds everything. Three loopback hosts, because each is a pattern of its own in the manifest; a window
// with an opener, because that reaches into it; frames of and in the site with the grants, because either could take its place; and every
// document whose address and origin say different things.
import fs from "node:fs";
import path from "node:path";
import { until } from "../wait.mjs";
import { PROBE } from "./probe.mjs";

/** A name that the browsers under test are told to look for on this machine. */
export const NAME = "elsewhere.test";

const hasProbe = (view) => until("a document of the matrix", () => view.evaluate(() => window.probe !== undefined));

/** The page that `act` opens in a window of its own. */
async function opened(launched, page, act, ...values) {
  const before = new Set(await launched.browser.pages());
  await page.evaluate(act, ...values);
  const fresh = await until("a new window", async () => (await launched.browser.pages()).find((each) => !before.has(each)));
  await hasProbe(fresh);
  return fresh;
}

/** A frame that is put into a page, with these attributes. */
async function framed(page, attributes) {
  const before = new Set(page.frames());
  await page.evaluate((attributes) => {
    const frame = document.createElement("iframe");
    for (const [name, value] of Object.entries(attributes)) frame.setAttribute(name, value);
    document.body.append(frame);
  }, attributes);
  const frame = await until("the frame", () => page.frames().find((each) => !before.has(each)));
  await hasProbe(frame);
  return frame;
}

const page = async (world, url) => {
  const view = await world.launched.open(url);
  await hasProbe(view);
  return view;
};

/**
 * `served`: answered as any site is, by what its origin holds; else silence. `open` gives the documents of the kind; `world` is the
 * browser as `launched`, `home` and its open page `holder`, which hold every permission, `other` sites, and a folder.
 */
export const kinds = [
  { name: "`https:`", served: true, open: async (world) => [await page(world, world.other.https.url())] },
  { name: "`http://localhost`", served: true, open: async (world) => [await page(world, world.other.localhost.url())] },
  {
    name: "`http://127.0.0.1`: another port of the host that holds everything, in a window that its page opened",
    served: true,
    async open({ launched, holder, other }) {
      const view = await opened(launched, holder, (url) => void (window.other = window.open(url)), other.port.url());
      // What its opener posts has another source than the document itself.
      await holder.evaluate(() => {
        const message = { jsonrpc: "2.0", id: "by the opener", method: "node.hello" };
        window.other.postMessage({ mooring: 1, to: "node", message }, "*");
      });
      return [view];
    },
  },
  { name: "`http://[::1]`", served: true, open: async (world) => [await page(world, world.other.six.url())] },
  { name: "`http:` of another name, though it leads to this machine", open: async (world) => [await page(world, world.other.named.url())] },
  {
    name: "a frame of the site that holds everything, in its own page",
    open: async ({ holder, home }) => [await framed(holder, { src: home.url() })],
  },
  {
    name: "the same in another site's page",
    async open(world) {
      const outer = await page(world, world.other.localhost.url());
      return [await framed(outer, { src: world.home.url() })];
    },
  },
  {
    name: "the same, sandboxed",
    open: async ({ holder, home }) => [await framed(holder, { src: home.url(), sandbox: "allow-scripts" })],
  },
  { name: "a page of that site that its own policy sandboxes", open: async (world) => [await page(world, world.home.url("/sandboxed"))] },
  {
    name: "`about:srcdoc` in a page of that site, and `about:blank` in a window that it opened",
    async open({ launched, holder }) {
      const blank = await opened(launched, holder, (html) => void window.open("about:blank").document.write(html), PROBE);
      return [await framed(holder, { srcdoc: PROBE }), blank];
    },
  },
  {
    name: "`data:`, as a page and in a frame",
    async open(world) {
      const url = `data:text/html,${encodeURIComponent(PROBE)}`;
      return [await page(world, url), await framed(world.holder, { src: url })];
    },
  },
  {
    name: "`blob:` of that site, as a page and in a frame",
    async open({ launched, holder }) {
      const url = await holder.evaluate((html) => URL.createObjectURL(new Blob([html], { type: "text/html" })), PROBE);
      return [await opened(launched, holder, (url) => void window.open(url), url), await framed(holder, { src: url })];
    },
  },
  {
    name: "`file:`",
    async open(world) {
      const file = path.join(world.folder, "probe.html");
      fs.writeFileSync(file, PROBE);
      return [await page(world, `file://${file}`)];
    },
  },
  {
    name: "a page of that site that is only prerendered",
    // Firefox does not prerender.
    lacks: ["firefox"],
    async open(world) {
      const outer = await page(world, world.home.url());
      await outer.evaluate(() => {
        const rules = document.createElement("script");
        rules.type = "speculationrules";
        rules.textContent = JSON.stringify({ prerender: [{ urls: ["/early"], eagerness: "immediate" }] });
        document.head.append(rules);
      });
      await until("the prerendering", () => world.home.requests.some(({ url, purpose }) => url === "/asked-early" && purpose?.includes("prerender")));
      return [{ early: outer }];
    },
  },
];

/** What only a prerendered page can do: it asks by itself, and keeps what it had heard when it is looked at. */
export const early = (requests) => `${PROBE}<script>
  window.early = false;
  document.addEventListener("prerenderingchange", () => { window.early = [...probe.heard]; }, { once: true });
  if (document.prerendering) {
    probe.ask(${JSON.stringify(requests)});
    void fetch("/asked-early");
  }
</script>`;
