/** The toolbar button: how many connections there are, and in colour whether the node is well. */

const COLOURS: Record<string, string> = {
  starting: "#8a8f98",
  online: "#0f766e",
  offline: "#8a8f98",
  failed: "#b42318",
};

const MOST_SHOWN = 999;

export async function setBadge(action: typeof chrome.action, state: string, connections: number): Promise<void> {
  await action.setBadgeText({ text: textOf(state, connections) });
  await action.setBadgeBackgroundColor({ color: COLOURS[state] ?? "#8a8f98" });
}

function textOf(state: string, connections: number): string {
  if (state === "failed") return "!";
  if (state !== "online" || !(connections > 0)) return "";
  return connections > MOST_SHOWN ? `${MOST_SHOWN}+` : String(Math.trunc(connections));
}
