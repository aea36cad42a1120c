/** What each permission means, in words for the person who is asked. */
import type { Descriptor } from "../generated/Descriptor";

export interface Words {
  title: string;
  detail: string;
  /** What a caveat adds, with a box of its own. */
  extra?: { title: string; detail: string };
  /** Values that are allowed one by one. */
  values?: { title: string; list: string[] };
}

export function wordsFor(permission: Descriptor): Words {
  switch (permission.name) {
    case "identity":
      return {
        title: "See who your node is",
        detail: "Its peer id and addresses. They stay the same, so sites can recognise you by them.",
      };
    case "peers":
      return {
        title: "See your peers and connections",
        detail: "Whom your node is connected to and knows of, with their addresses.",
      };
    case "dial":
      return {
        title: "Connect to peers",
        detail: "Let your node open connections for this site. Whoever it reaches sees your IP address.",
        ...(permission.privateNetwork && {
          extra: {
            title: "Also in your local network",
            detail: "This computer, and devices near it such as routers and printers.",
          },
        }),
      };
    case "streams":
      return {
        title: "Exchange data with peers",
        detail: "Send and receive over connections, with these protocols:",
        values: { title: "Protocol", list: permission.protocols },
      };
    case "pubsub":
      return {
        title: "Publish and receive messages",
        detail: "Others can see that you take part in these topics:",
        values: { title: "Topic", list: permission.topics },
      };
    case "routing":
      return {
        title: "Look things up in the network",
        detail: "Find peers and content. Those who are asked see what is looked for.",
        ...(permission.write && {
          extra: {
            title: "Also announce and store there",
            detail: "Others then find your node and its addresses under what is announced.",
          },
        }),
      };
    case "background":
      return {
        title: "Keep working when its tabs are closed",
        detail: "What the site receives is kept for it until you open it again.",
      };
  }
}

/** A protocol or topic as people read it: a trailing star is said in words. */
export function valueWords(value: string): { text: string; note?: string } {
  return value.endsWith("*") ? { text: value.slice(0, -1), note: "and all that begin with it" } : { text: value };
}
