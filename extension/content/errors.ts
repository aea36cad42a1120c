/** The page API's errors that the content script gives by itself. Everything else is the node's to say. */

export interface RpcError {
  code: number;
  message: string;
  data: { name: string; detail?: string; retryAfterMs?: number; supported?: number[] };
}

export function invalidRequest(detail: string): RpcError {
  return { code: -32600, message: "Invalid request", data: { name: "InvalidRequest", detail } };
}

export function unsupportedVersion(): RpcError {
  return {
    code: -32600,
    message: "Invalid request",
    data: { name: "InvalidRequest", detail: "this version of the envelope is not known here", supported: [1] },
  };
}

export function nodeNotRunning(detail: string): RpcError {
  return { code: 4900, message: "The node is not running", data: { name: "NodeNotRunning", detail } };
}

export function timedOut(detail: string): RpcError {
  return { code: 5002, message: "The request took longer than its time limit", data: { name: "Timeout", detail } };
}

export function limitExceeded(detail: string, retryAfterMs: number): RpcError {
  return { code: 5005, message: "A limit was exceeded", data: { name: "LimitExceeded", detail, retryAfterMs } };
}

export function aborted(): RpcError {
  return { code: 5008, message: "The request was cancelled", data: { name: "Aborted" } };
}
