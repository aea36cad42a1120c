/**
 * Chrome's service worker: wakes the host document and does for it what only a service worker may. It sees no traffic,
 * and must not listen to `onConnect`: where it does, a port that is opened while the host is missing hangs instead of failing.
 */
import { isAnnounced } from "../extension/host/announced";
import { isHost, serve } from "./broker";
import { ensureHost, report } from "./host-document";
import { injectIntoOpenTabs } from "./inject";
import { ALARM_MINUTES } from "./limits";
import { promptClosed } from "./prompts";

const ALARM = "host.ensure";

// Everything that wakes a worker is listened to before anything is awaited.
chrome.runtime.onInstalled.addListener(() => {
  void injectIntoOpenTabs();
});
// Nothing to do but to be woken by it: every start of this worker ends with the host.
chrome.runtime.onStartup.addListener(() => undefined);
chrome.alarms.onAlarm.addListener(() => void ensureHost().catch(report));
chrome.windows.onRemoved.addListener((window) => void promptClosed(window));

chrome.runtime.onMessage.addListener((message: unknown, sender, respond) => {
  if (typeof message !== "object" || message === null) return false;
  const request = message as Record<string, unknown>;
  if (request.to !== "background" || sender.id !== chrome.runtime.id) return false;
  // Anybody of ours may ask for the host, also a content script; it learns nothing by the answer.
  if (request.type === "host.ensure") {
    ensureHost().then(
      () => respond({ ok: true }),
      (error: unknown) => {
        report(error);
        respond({ ok: false });
      },
    );
    return true;
  }
  // Likewise: what a site may know while no host can say it.
  if (request.type === "host.announced") {
    void isAnnounced({ get: async (key) => (await chrome.storage.local.get(key))[key] }).then((value) => respond({ ok: true, value }));
    return true;
  }
  if (!isHost(sender)) return false;
  const work = serve(request);
  if (!work) return false;
  work.then(
    (value) => respond({ ok: true, value }),
    (error: unknown) => respond({ ok: false, error: error instanceof Error ? error.message : String(error) }),
  );
  return true;
});

// What a content script can read, a page that breaks into its renderer can; the setting outlives restarts.
void chrome.storage.local.setAccessLevel({ accessLevel: chrome.storage.AccessLevel.TRUSTED_CONTEXTS });
void chrome.storage.session.setAccessLevel({ accessLevel: chrome.storage.AccessLevel.TRUSTED_CONTEXTS });

// Made anew only where it is missing: creating it puts off its next ring.
void chrome.alarms.get(ALARM).then(async (alarm) => {
  if (!alarm) await chrome.alarms.create(ALARM, { periodInMinutes: ALARM_MINUTES });
});

// Whatever woke this worker, the node is to run.
void ensureHost().catch(report);
