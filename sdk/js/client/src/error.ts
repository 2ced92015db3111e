/**
 * What went wrong, for a program to act on. The first block are the codes of the wire
 * (`skein.v1.ErrorCode`, in lower case); the second are this SDK's own.
 *
 * - `aborted`: the caller's `signal` fired. What was sent already may still take effect.
 * - `closed`: the client was closed, replaced or signed out, so that nothing more can be asked of it.
 * - `storage`: the local store refused a write (a full disk, a quota). The session goes on in
 *   memory; what is not stored comes again with the next sync.
 *
 * `unavailable` is also what a network that does not answer looks like: whether the call took effect is
 * then unknown. Sends, edits, recalls and reactions never fail with it, they stay in the outbox.
 */
export type ErrorCode =
  | "invalid_argument"
  | "unauthenticated"
  | "token_expired"
  | "not_found"
  | "permission_denied"
  | "failed_precondition"
  | "client_id_reused"
  | "too_large"
  | "rate_limited"
  | "clock_skew"
  | "expired"
  | "unavailable"
  | "resource_exhausted"
  | "internal"
  | "cursor_invalid"
  | "unsupported"
  | "data_loss"
  | "already_exists"
  | "signed_out"
  | "aborted"
  | "closed"
  | "storage";

/** The parts of a SkeinError beside its code and message. */
export interface SkeinErrorDetails {
  /** What to do next, in English, where there is something to do. */
  readonly hint?: string | undefined;
  /** How long to wait before a retry, in milliseconds; 0 or absent = no word about it. */
  readonly retryAfterMs?: number | undefined;
  /** What raised it: the Error of fetch, of the token supplier, of IndexedDB. */
  readonly cause?: unknown;
}

/**
 * The one error class of this SDK. Act on `code`; `message` is one sentence for a developer and
 * `hint` says what to do next. Neither ever holds a token or the text of a message.
 */
export class SkeinError extends Error {
  readonly code: ErrorCode;
  readonly hint: string;
  readonly retryAfterMs: number;

  constructor(code: ErrorCode, message: string, details: SkeinErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "SkeinError";
    this.code = code;
    this.hint = details.hint ?? "";
    this.retryAfterMs = details.retryAfterMs ?? 0;
  }
}
