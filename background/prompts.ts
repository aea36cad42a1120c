/** The windows in which a user is asked. What is asked and answered goes between the prompt page and the host directly. */
import { MAX_PROMPTS, PROMPT_SIZE } from "./limits";

/** Window by prompt id, in `storage.session`: a service worker forgets, a window stays. */
const KEY = "background.prompts";

type Windows = Record<string, number>;

/** Changes of the table, one after the other: reading and writing it are two steps. */
let turn: Promise<unknown> = Promise.resolve();

function inTurn<T>(work: () => Promise<T>): Promise<T> {
  const result = turn.then(work);
  turn = result.catch(() => undefined);
  return result;
}

async function load(): Promise<Windows> {
  const stored = (await extension.storage.session.get(KEY))[KEY] as Windows | undefined;
  return stored ?? {};
}

async function save(windows: Windows): Promise<void> {
  await extension.storage.session.set({ [KEY]: windows });
}

// Firefox's `chrome` takes callbacks in MV2; its `browser` is Chrome's `chrome`.
const extension = (globalThis as { browser?: typeof chrome }).browser ?? chrome;

export function openPrompt(id: string): Promise<void> {
  return inTurn(async () => {
    const windows = await load();
    if (Object.keys(windows).length >= MAX_PROMPTS) throw new Error("too many prompts are open");
    const window = await extension.windows.create({
      url: extension.runtime.getURL(`prompt.html?id=${encodeURIComponent(id)}`),
      type: "popup",
      ...PROMPT_SIZE,
    });
    if (window?.id === undefined) throw new Error("the browser opened no window");
    await save({ ...windows, [id]: window.id });
  });
}

export function closePrompt(id: string): Promise<void> {
  return inTurn(async () => {
    const { [id]: window, ...rest } = await load();
    if (window === undefined) return;
    await save(rest);
    // The user may have closed it in the meantime.
    await extension.windows.remove(window).catch(() => undefined);
  });
}

/** A window that the user closed gives its place back. The host hears of it by the page's port. */
export function promptClosed(window: number): Promise<void> {
  return inTurn(async () => {
    const windows = await load();
    const rest = Object.fromEntries(Object.entries(windows).filter(([, id]) => id !== window));
    if (Object.keys(rest).length !== Object.keys(windows).length) await save(rest);
  });
}
