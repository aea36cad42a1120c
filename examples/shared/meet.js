// What the examples need to find each other: the visitor's node, a relay to be reached over, and links that lead to a node.
import { connect, ErrorCode, MooringError } from "./mooring-client.js";

/** Of a link: anybody can write one. Addresses of a node that is on three relays, each with a few ways to it, and no more. */
const MAX_ADDRESSES = 8;
const MAX_ADDRESS = 512;
/** Milliseconds between two looks at whether the relay has given us an address. */
const LOOK_AGAIN = 500;

export const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/** A sentence for a person. */
export function explain(error) {
  if (!(error instanceof MooringError)) return error instanceof Error ? error.message : String(error);
  if (error.code === ErrorCode.UserRejected) return "You did not allow it.";
  return `${error.message} (${error.code})`;
}

/** The visitor's node, however long it takes the extension to be there. */
export async function findNode(waiting) {
  for (;;) {
    try {
      return await connect();
    } catch (error) {
      if (error.code !== ErrorCode.NotInstalled) throw error;
      waiting();
    }
  }
}

/**
 * To dial, and to tell our own address. A page on this machine is a trial: the relay and the other browser are near, at addresses
 * that are not global. A site on the Internet does not ask for those.
 */
export const REACH = [{ name: "identity" }, { name: "dial", ...(location.protocol === "http:" && { privateNetwork: true }) }];

/** The relay that this page was given, `?server=<multiaddr>`. */
export const RELAY = new URLSearchParams(location.search).get("server");

/** Connects to the relay; the addresses at which this node is then reached. */
export async function reachable(node, signal) {
  if (!RELAY) throw new Error("This page wants a relay's multiaddr in its address: …/?server=/ip4/…/p2p/…");
  await node.dial(RELAY, { signal });
  for (;;) {
    const { addresses } = await node.identity({ signal });
    const own = addresses.filter((address) => address.includes("/p2p-circuit/webrtc/p2p/"));
    if (own.length > 0) return own.slice(0, MAX_ADDRESSES);
    await pause(LOOK_AGAIN);
    signal?.throwIfAborted();
  }
}

/** A link to this page that leads to the node with these addresses. */
export function invitation(addresses, fields = {}) {
  const link = new URL(location.href);
  const hash = new URLSearchParams(fields);
  for (const address of addresses) hash.append("to", address);
  link.hash = hash.toString();
  return link.href;
}

/** What the link in this page's address says: whom it leads to, and other fields; `peer` is null without one. */
export function invited() {
  const fields = new URLSearchParams(location.hash.slice(1));
  const given = fields.getAll("to").filter((address) => address.length <= MAX_ADDRESS);
  const peer = given[0]?.split("/p2p/").at(-1) ?? null;
  // One link, one peer: others in it would be dialed behind the visitor's back.
  const addresses = given.filter((address) => address.endsWith(`/p2p/${peer}`)).slice(0, MAX_ADDRESSES);
  return { peer, addresses, fields };
}
