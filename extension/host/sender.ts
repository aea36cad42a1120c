/** What the browser vouches for about the other end of a port. Nothing that the other end says goes in here. */
export interface Sender {
  name: string;
  origin?: string;
  url?: string;
  tabId?: number;
  frameId?: number;
  documentId?: string;
  lifecycle?: string;
  /** One of our own pages, and not a content script of ours, which has our id but the site's origin. */
  extension: boolean;
}

/** Our own origin, such as `chrome-extension://…`. */
export function extensionOrigin(): string {
  return chrome.runtime.getURL("").replace(/\/$/, "");
}

export function senderOf(port: chrome.runtime.Port): Sender {
  const { id, origin: said, url, tab, frameId, documentId, documentLifecycle } = port.sender ?? {};
  const origin = said ?? originOf(url);
  return {
    name: port.name,
    ...(origin !== undefined && { origin }),
    ...(url !== undefined && { url }),
    ...(tab?.id !== undefined && { tabId: tab.id }),
    ...(frameId !== undefined && { frameId }),
    ...(documentId !== undefined && { documentId }),
    ...(documentLifecycle !== undefined && { lifecycle: documentLifecycle }),
    extension: id === chrome.runtime.id && origin === extensionOrigin(),
  };
}

/** Where the browser gives no origin, its word for the URL: good for tuple origins, "null" for the rest. */
function originOf(url: string | undefined): string | undefined {
  if (url === undefined || !URL.canParse(url)) return undefined;
  // URL knows no origin for extension schemes; such a URL begins with it.
  const { protocol, host, origin } = new URL(url);
  return protocol === "moz-extension:" ? `${protocol}//${host}` : origin;
}
