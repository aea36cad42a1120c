/** What the host document cannot do itself, done for it alone: extension storage, windows, the badge. */
import { setBadge } from "./badge";
import { HOST_PAGE } from "./host-document";
import { MAX_KEY_LENGTH } from "./limits";
import { closePrompt, openPrompt } from "./prompts";

/** Keys with this prefix are the background's own. */
const OWN_PREFIX = "background.";

/** True only for our own host document: a content script has our id too, but never this URL. */
export function isHost(sender: chrome.runtime.MessageSender): boolean {
  return sender.id === chrome.runtime.id && sender.url === chrome.runtime.getURL(HOST_PAGE);
}

/** Does one request of the host; undefined when it is none that we know. */
export function serve(message: Record<string, unknown>): Promise<unknown> | undefined {
  switch (message.type) {
    case "storage.get":
      return get(chrome.storage.local, message.key);
    case "storage.set":
      return set(chrome.storage.local, message.key, message.value);
    case "storage.remove":
      return remove(chrome.storage.local, message.key);
    case "session.get":
      return get(chrome.storage.session, message.key);
    case "session.set":
      return set(chrome.storage.session, message.key, message.value);
    case "session.remove":
      return remove(chrome.storage.session, message.key);
    case "prompt.open":
      return openPrompt(String(message.id));
    case "prompt.close":
      return closePrompt(String(message.id));
    case "badge":
      return setBadge(chrome.action, String(message.state), Number(message.connections));
    default:
      return undefined;
  }
}

async function get(area: chrome.storage.StorageArea, key: unknown): Promise<unknown> {
  const name = checked(key);
  return (await area.get(name))[name];
}

async function set(area: chrome.storage.StorageArea, key: unknown, value: unknown): Promise<void> {
  await area.set({ [checked(key)]: value });
}

async function remove(area: chrome.storage.StorageArea, key: unknown): Promise<void> {
  await area.remove(checked(key));
}

function checked(key: unknown): string {
  if (typeof key !== "string" || key === "" || key.length > MAX_KEY_LENGTH || key.startsWith(OWN_PREFIX)) {
    throw new Error("not a key of the host's storage");
  }
  return key;
}
