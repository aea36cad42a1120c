/**
 * Chrome gives a content script only to documents that load later. After an install, update or reload the tabs that are
 * open get theirs here, so that their pages hear `node.available` again. Firefox does so by itself.
 */
export async function injectIntoOpenTabs(): Promise<void> {
  for (const script of chrome.runtime.getManifest().content_scripts ?? []) {
    const { matches, js } = script;
    if (!matches || !js) continue;
    const tabs = await chrome.tabs.query({ url: matches });
    await Promise.allSettled(
      tabs.map(async ({ id, discarded }) => {
        // A discarded tab loads anew when it is looked at.
        if (id === undefined || discarded) return;
        await chrome.scripting.executeScript({ target: { tabId: id }, files: js, injectImmediately: true });
      }),
    );
  }
}
