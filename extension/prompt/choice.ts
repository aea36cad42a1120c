/** One permission that is asked for and what the user makes of it: pure, so that trimming can be tested without a page. */
import type { Descriptor } from "../generated/Descriptor";

export interface Choice {
  descriptor: Descriptor;
  allowed: boolean;
  /** For `privateNetwork` and `write`. */
  extra: boolean;
  /** For protocols and topics: which of them. */
  values: boolean[];
}

export interface Split {
  granted: Descriptor[];
  denied: Descriptor[];
}

export function choiceFor(descriptor: Descriptor): Choice {
  return { descriptor, allowed: true, extra: true, values: valuesOf(descriptor).map(() => true) };
}

export function split(choices: Choice[]): Split {
  const all: Split = { granted: [], denied: [] };
  for (const choice of choices) {
    const { granted, denied } = splitOne(choice);
    if (granted) all.granted.push(granted);
    if (denied) all.denied.push(denied);
  }
  return all;
}

function splitOne({ descriptor, allowed, extra, values }: Choice): { granted?: Descriptor; denied?: Descriptor } {
  if (!allowed) return { denied: descriptor };
  switch (descriptor.name) {
    case "dial":
      return !descriptor.privateNetwork || extra ? { granted: descriptor } : { granted: { name: "dial" }, denied: descriptor };
    case "routing":
      return !descriptor.write || extra ? { granted: descriptor } : { granted: { name: "routing" }, denied: descriptor };
    case "streams": {
      const [yes, no] = part(descriptor.protocols, values);
      return {
        ...(yes.length > 0 && { granted: { name: "streams", protocols: yes } }),
        ...(no.length > 0 && { denied: { name: "streams", protocols: no } }),
      };
    }
    case "pubsub": {
      const [yes, no] = part(descriptor.topics, values);
      return {
        ...(yes.length > 0 && { granted: { name: "pubsub", topics: yes } }),
        ...(no.length > 0 && { denied: { name: "pubsub", topics: no } }),
      };
    }
    default:
      return { granted: descriptor };
  }
}

function part(list: string[], chosen: boolean[]): [string[], string[]] {
  return [list.filter((_, index) => chosen[index]), list.filter((_, index) => !chosen[index])];
}

function valuesOf(descriptor: Descriptor): string[] {
  if (descriptor.name === "streams") return descriptor.protocols;
  if (descriptor.name === "pubsub") return descriptor.topics;
  return [];
}
