/**
 * The envelope of the page API: what is ours at all, and what of it is well enough formed to be handed to the node.
 * Reads the envelope, `id`, `method`, the time limit and what `rpc.cancel` names; never what a request is about.
 */
import { invalidRequest, limitExceeded, unsupportedVersion, type RpcError } from "./errors";
import { DEFAULT_TIMEOUT, MAX_ID_LENGTH, MAX_MESSAGE_BYTES, MAX_MESSAGE_VALUES, MAX_TIMEOUT } from "./limits";
import { measure } from "./measure";

export type Id = string | number;

export interface Request {
  kind: "request";
  id: Id;
  method: string;
  bytes: number;
  timeout: number;
  message: object;
}

export type Parsed =
  /** Not for us, or not to be answered. */
  | { kind: "nothing" }
  | { kind: "error"; id: Id | null; error: RpcError }
  | { kind: "cancel"; id: Id; message: object }
  | Request;

const NOTHING: Parsed = { kind: "nothing" };

export function parse(data: unknown): Parsed {
  if (!isRecord(data)) return NOTHING;
  if (!Object.hasOwn(data, "mooring") || !Object.hasOwn(data, "to") || data.to !== "node") return NOTHING;

  const message = data.message;
  if (data.mooring !== 1) return { kind: "error", id: idOf(message), error: unsupportedVersion() };
  if (Array.isArray(message)) return { kind: "error", id: null, error: invalidRequest("batches are not supported") };
  if (!isRecord(message)) return { kind: "error", id: null, error: invalidRequest("`message` is not an object") };

  // JSON-RPC never answers a notification, and nothing we sent awaits a response.
  if (message.id === undefined) return parseNotification(message);
  if (message.method === undefined && (Object.hasOwn(message, "result") || Object.hasOwn(message, "error"))) return NOTHING;

  const id = idOf(message);
  const fail = (error: RpcError): Parsed => ({ kind: "error", id, error });
  if (id === null) {
    return fail(invalidRequest(`\`id\` must be a finite number or a string of 1 to ${MAX_ID_LENGTH} characters`));
  }
  const measured = measure(message);
  if (!measured.ok) {
    switch (measured.why) {
      case "size":
        // It will never fit, so waiting does not help: 0 says that the limit is not one of rate.
        return fail(limitExceeded(`a message may have ${MAX_MESSAGE_BYTES} bytes`, 0));
      case "values":
        return fail(limitExceeded(`a message may have ${MAX_MESSAGE_VALUES} values`, 0));
      case "depth":
        return fail(invalidRequest("the message nests too deep"));
      case "type":
        return fail(invalidRequest("the message holds something that is neither JSON nor binary data"));
    }
  }
  if (message.jsonrpc !== "2.0") return fail(invalidRequest('`jsonrpc` must be "2.0"'));
  if (typeof message.method !== "string") return fail(invalidRequest("`method` must be a string"));
  return {
    kind: "request",
    id,
    method: message.method,
    bytes: measured.bytes,
    timeout: timeoutOf(message.method, message.params),
    // The id first: a node that cannot read a message to its end still knows whom to answer.
    message: { id, ...message },
  };
}

/** `rpc.cancel` is the only notification a page may send. It is rebuilt, so nothing else rides along. */
function parseNotification(message: Record<string, unknown>): Parsed {
  if (message.jsonrpc !== "2.0" || message.method !== "rpc.cancel" || !isRecord(message.params)) return NOTHING;
  const id = idOf(message.params);
  if (id === null) return NOTHING;
  return { kind: "cancel", id, message: { jsonrpc: "2.0", method: "rpc.cancel", params: { id } } };
}

function idOf(message: unknown): Id | null {
  if (!isRecord(message)) return null;
  const id = message.id;
  if (typeof id === "number") return Number.isFinite(id) ? id : null;
  if (typeof id === "string") {
    // A lone surrogate does not survive UTF-8: the answer would come back under another id.
    return id.length >= 1 && id.length <= MAX_ID_LENGTH && !/\p{Surrogate}/u.test(id) ? id : null;
  }
  return null;
}

/** A time limit that makes no sense is for the node to refuse; until then the usual one holds. */
function timeoutOf(method: string, params: unknown): number {
  const asked = isRecord(params) ? params.timeoutMs : undefined;
  if (typeof asked === "number" && asked >= 0) return Math.min(asked, MAX_TIMEOUT);
  return method === "permissions.request" ? MAX_TIMEOUT : DEFAULT_TIMEOUT;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
