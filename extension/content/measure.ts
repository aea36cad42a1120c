/**
 * Sizes up a message from a page without believing anything about it: how large, how deep, and whether it holds only
 * what JSON-RPC and binary data need. What arrives by structured clone has neither getters nor proxies, so walking it
 * runs no code of the page.
 */
import { MAX_DEPTH, MAX_MESSAGE_BYTES, MAX_MESSAGE_VALUES } from "./limits";

export type Measured = { ok: true; bytes: number } | { ok: false; why: Excess };

/** What there is too much of, or what does not belong. */
export type Excess = "size" | "values" | "depth" | "type";

/**
 * Counts about what the message would take as JSON with its binary parts raw. Every value costs at least one byte, and
 * the walk ends at the limit, so a small graph whose parts are shared a billion times costs no more than a large message.
 */
export function measure(message: unknown): Measured {
  let bytes = 0;
  let values = 0;

  /** The reason to stop, or nothing. */
  function walk(value: unknown, depth: number): Excess | undefined {
    bytes += 1;
    values += 1;
    if (values > MAX_MESSAGE_VALUES) return "values";
    switch (typeof value) {
      case "string":
        bytes += utf8Length(value, MAX_MESSAGE_BYTES - bytes) + 1;
        break;
      case "number":
      case "bigint":
        // A bigint is no JSON, but it crosses to the node unharmed, which then says what it thinks of the parameter.
        bytes += typeof value === "bigint" ? value.toString(16).length : 7;
        break;
      case "boolean":
      case "undefined":
        bytes += 3;
        break;
      case "object":
        if (value !== null) return walkObject(value, depth);
        bytes += 3;
        break;
      default:
        return "type";
    }
    return bytes > MAX_MESSAGE_BYTES ? "size" : undefined;
  }

  function walkObject(value: object, depth: number): Excess | undefined {
    if (depth > MAX_DEPTH) return "depth";
    const binary = binaryLength(value);
    if (binary !== undefined) {
      bytes += binary;
      return bytes > MAX_MESSAGE_BYTES ? "size" : undefined;
    }
    if (Array.isArray(value)) {
      // Holes cost as much as values: `new Array(1e9)` must not be walked.
      if (bytes + value.length > MAX_MESSAGE_BYTES) return "size";
      if (values + value.length > MAX_MESSAGE_VALUES) return "values";
      for (let index = 0; index < value.length; index += 1) {
        const stop = walk(value[index], depth + 1);
        if (stop) return stop;
      }
      return undefined;
    }
    if (Object.prototype.toString.call(value) !== "[object Object]") return "type";
    for (const key of Object.keys(value)) {
      bytes += utf8Length(key, MAX_MESSAGE_BYTES - bytes) + 3;
      if (bytes > MAX_MESSAGE_BYTES) return "size";
      const stop = walk((value as Record<string, unknown>)[key], depth + 1);
      if (stop) return stop;
    }
    return undefined;
  }

  const stop = walk(message, 1);
  return stop ? { ok: false, why: stop } : { ok: true, bytes };
}

/** Byte length of a buffer or a view on one; undefined for anything else. Resizable and shared buffers are none of ours. */
export function binaryLength(value: object): number | undefined {
  // A view keeps its whole buffer alive and a structured clone copies all of it, not only what the view shows.
  if (ArrayBuffer.isView(value)) return value.buffer.byteLength;
  if (Object.prototype.toString.call(value) === "[object ArrayBuffer]") return (value as ArrayBuffer).byteLength;
  return undefined;
}

/** UTF-8 length of a string; stops counting once it is over `enough`. */
function utf8Length(text: string, enough: number): number {
  if (text.length > enough) return text.length;
  let length = text.length;
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    if (unit > 0x7f) length += unit > 0x7ff ? (unit >= 0xd800 && unit <= 0xdfff ? 1 : 2) : 1;
  }
  return length;
}
