import { ErrorCode as NodeErrorCode, type ErrorObject } from "./api.js";

/** Every code that an error of this client can have, by name: `error.code === ErrorCode.UserRejected`. */
export const ErrorCode = {
  ...NodeErrorCode,
  // The client's own; the node's are all above 1,000 or negative.
  /**
   * Nobody answered: there is no extension, it is switched off, or its user keeps it from sites that hold no permission. A
   * page cannot tell these apart, by intention.
   */
  NotInstalled: 1,
  /** No extension serves this document: it is a frame, or its origin is neither `https:` nor on the visitor's own machine. */
  NotAllowed: 2,
} as const;

/** The name of a code: `"UserRejected"`. */
export type ErrorName = keyof typeof ErrorCode;

/** A code, as a number. */
export type ErrorCode = (typeof ErrorCode)[ErrorName];

/** What `new MooringError` may be told beside the sentence. */
export interface MooringErrorOptions {
  /** More about this case. */
  detail?: string | undefined;
  /** When another try makes sense, in milliseconds from now. */
  retryAfterMs?: number | undefined;
}

/** Any failure of the node, the extension or this client. Aborted calls reject with their signal's reason instead. */
export class MooringError extends Error {
  /** The code's name, such as `"Timeout"`; of a newer extension perhaps one that is not in {@link ErrorCode}. */
  override readonly name: ErrorName;
  /** The number that the page API gives this failure. */
  readonly code: ErrorCode;
  /** More about this case, for a developer to read. */
  readonly detail: string | undefined;
  /** With `LimitExceeded`, and with `UserRejected` during a pause: milliseconds after which another try makes sense. */
  readonly retryAfterMs: number | undefined;

  /** An error of that name; pages need it in tests of their own only. */
  constructor(name: ErrorName, message: string, { detail, retryAfterMs }: MooringErrorOptions = {}) {
    super(detail ? `${message}: ${detail}` : message);
    this.name = name;
    this.code = ErrorCode[name];
    this.detail = detail;
    this.retryAfterMs = retryAfterMs;
  }
}

/** The error that the extension answered with. */
export function fromAnswer({ code, message, data }: ErrorObject): MooringError {
  const error = new MooringError((data?.name ?? "Internal") as ErrorName, message, data);
  // The number is the contract, whether this client knows its name or not.
  return Object.defineProperty(error, "code", { value: code, enumerable: true });
}

/** Whether it is an error of that name. */
export function isError(error: unknown, name: ErrorName): error is MooringError {
  return error instanceof MooringError && error.code === ErrorCode[name];
}
