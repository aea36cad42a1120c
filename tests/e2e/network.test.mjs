// The machine loses its network and gets it back, in Chromium: in a network namespace, whose one link goes down and up.
import { enterNamespace, link } from "./support/namespace.mjs";
const host = enterNamespace();

import { test } from "node:test";
import { allowed, dial, losesItsNetwork } from "./support/scenarios.mjs";
import { setUp } from "./support/set-up.mjs";

test("a network that is lost shows within 2 s as offline, to pages and in the popup, and online again when it is back", async (t) => {
  const { site, server, chromium } = await setUp(t, { host });
  const page = await allowed(chromium, site);
  await dial(page, server);
  await losesItsNetwork(chromium, page, link);
});
