/** What each permission means, in words for the person who is asked. */
import type { Descriptor } from "../generated/Descriptor";
import { text, type Key } from "./text";

export interface Words {
  title: string;
  detail: string;
  /** What a caveat adds, with a box of its own. */
  extra?: { title: string; detail: string };
  /** Values that are allowed one by one. */
  values?: string[];
}

export function wordsFor(permission: Descriptor): Words {
  switch (permission.name) {
    case "identity":
      return of("permissionIdentity", "permissionIdentityDetail");
    case "peers":
      return of("permissionPeers", "permissionPeersDetail");
    case "dial":
      return {
        ...of("permissionDial", "permissionDialDetail"),
        ...(permission.privateNetwork && { extra: of("permissionDialPrivate", "permissionDialPrivateDetail") }),
      };
    case "streams":
      return { ...of("permissionStreams", "permissionStreamsDetail"), values: permission.protocols };
    case "pubsub":
      return { ...of("permissionPubsub", "permissionPubsubDetail"), values: permission.topics };
    case "routing":
      return {
        ...of("permissionRouting", "permissionRoutingDetail"),
        ...(permission.write && { extra: of("permissionRoutingWrite", "permissionRoutingWriteDetail") }),
      };
    case "background":
      return of("permissionBackground", "permissionBackgroundDetail");
  }
}

function of(title: Key, detail: Key): { title: string; detail: string } {
  return { title: text(title), detail: text(detail) };
}

/** A protocol or topic as people read it: a trailing star is said in words. */
export function valueWords(value: string): { name: string; note?: string } {
  return value.endsWith("*") ? { name: value.slice(0, -1), note: text("promptPrefix") } : { name: value };
}
