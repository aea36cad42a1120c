/** Bytes that are handed over instead of copied. */

/**
 * The buffer of a stream port's message, for the list of what is transferred with it. Its sender must not use it any more. None where
 * the bytes are only a part of a buffer, or where the page shares it with others.
 */
export function buffers(message: object): Transferable[] {
  const { bytes } = message as { bytes?: unknown };
  if (kind(bytes) !== "[object Uint8Array]") return [];
  const { buffer, byteLength } = bytes as Uint8Array;
  return kind(buffer) === "[object ArrayBuffer]" && buffer.byteLength === byteLength ? [buffer as ArrayBuffer] : [];
}

/** Those of a message between document and host: what carries no stream may be kept for another try. */
export function carried(message: object): Transferable[] {
  const { t, m } = message as { t?: unknown; m?: object };
  return t === "port" && m ? buffers(m) : [];
}

/** What `instanceof` would tell, also of what comes from a page. */
const kind = (value: unknown): string => Object.prototype.toString.call(value);
