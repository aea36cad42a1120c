/** The user's choice who hears of the node, as `crates/host/src/announce.rs` keeps it, for whoever speaks without the node. */
import type { Store } from "./platform";

const KEY = "announce";
const EVERYWHERE = "everywhere";

/** Whether a site of which nothing is known may be told. What cannot be read tells nobody. */
export async function isAnnounced(storage: Pick<Store, "get">): Promise<boolean> {
  try {
    const stored = await storage.get(KEY);
    return stored === undefined || stored === null || stored === EVERYWHERE;
  } catch {
    return false;
  }
}
