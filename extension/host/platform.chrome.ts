/** The platform as an offscreen document has it: `chrome.runtime` and nothing else, so the service worker does the rest. */
import { BROKER_PAUSE, BROKER_TRIES } from "./limits";
import type { Platform, Store } from "./platform";
import { extensionOrigin } from "./sender";

interface Reply {
  ok: boolean;
  value?: unknown;
  error?: string;
}

async function ask(type: string, fields: object = {}): Promise<unknown> {
  for (let attempt = 1; ; attempt += 1) {
    let reply: Reply | undefined;
    try {
      reply = await chrome.runtime.sendMessage<object, Reply | undefined>({ to: "background", type, ...fields });
    } catch (error) {
      if (attempt >= BROKER_TRIES) throw error;
    }
    if (reply) {
      if (!reply.ok) throw new Error(reply.error ?? "the background refused");
      return reply.value;
    }
    // No reply: the worker was stopped between the message and its answer. All that is asked may be asked twice.
    if (attempt >= BROKER_TRIES) throw new Error("the background did not answer");
    await new Promise((done) => setTimeout(done, BROKER_PAUSE * 2 ** attempt));
  }
}

function store(area: "storage" | "session"): Store {
  return {
    get: (key) => ask(`${area}.get`, { key }),
    set: async (key, value) => void (await ask(`${area}.set`, { key, value })),
    remove: async (key) => void (await ask(`${area}.remove`, { key })),
  };
}

export async function loadPlatform(): Promise<Platform> {
  // `runtime.getManifest` is not among what an offscreen document has.
  const manifest = (await (await fetch("/manifest.json")).json()) as { name: string; version: string };
  return {
    extensionOrigin: extensionOrigin(),
    product: manifest.name,
    version: manifest.version,
    browser: "chrome",
    storage: store("storage"),
    session: store("session"),
    openPrompt: async (id) => void (await ask("prompt.open", { id })),
    closePrompt: async (id) => void (await ask("prompt.close", { id })),
    setBadge: (state, connections) => void ask("badge", { state, connections }).catch(() => undefined),
  };
}
