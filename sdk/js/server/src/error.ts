import type { ErrorCode as WireCode } from "./wire.js";

/**
 * What went wrong, for a program to act on: the codes of the protocol (`skein.v1.ErrorCode`, in lower case), and
 * `aborted`: the caller's `signal` fired. What was sent already may still take effect.
 */
export type ErrorCode = Exclude<WireCode, "unspecified"> | "aborted";

/** The parts of a SkeinError beside its code and message. */
export interface SkeinErrorDetails {
  /** What to do next, in English, where there is something to do. */
  readonly hint?: string | undefined;
  /** How long to wait before a retry, in milliseconds; 0 or absent = no word about it. */
  readonly retryAfterMs?: number | undefined;
  /** What raised it: the Error of fetch, or of the token supplier. */
  readonly cause?: unknown;
}

/**
 * The one error class of this SDK. Act on `code`; `message` is one sentence for a developer and `hint` says what to do
 * next. Neither ever holds a token or the text of a message.
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

/** Of answers without an error of the protocol: of a proxy, or of what is no Skein at all. */
export function codeOf(status: number): ErrorCode {
  switch (status) {
    case 400:
      return "invalid_argument";
    case 401:
      return "unauthenticated";
    case 403:
      return "permission_denied";
    case 404:
    case 501:
      return "unsupported";
    case 413:
      return "too_large";
    case 429:
      return "rate_limited";
    case 500:
      return "internal";
  }
  return "unavailable";
}

interface ConnectError {
  readonly message?: unknown;
  readonly details?: readonly { readonly type?: unknown; readonly debug?: Readonly<Record<string, unknown>> }[];
}

/**
 * The error of an answer that is not a good one, by Connect's unary protocol. Its detail of type skein.v1.Error is the
 * protocol's own; the server shows it in JSON beside its bytes.
 */
export function answerError(status: number, text: string): SkeinError {
  let body: ConnectError = {};
  try {
    body = JSON.parse(text) as ConnectError;
  } catch {
    // Not JSON: the status has to do.
  }
  const own = Array.isArray(body.details) ? body.details.find((d) => d.type === "skein.v1.Error")?.debug : undefined;
  if (own && typeof own["code"] === "string") {
    return wireError(own["code"].replace("ERROR_CODE_", "").toLowerCase() as WireCode, {
      message: String(own["message"] ?? ""),
      hint: String(own["hint"] ?? ""),
      retryAfterMs: Number(own["retryAfterMs"] ?? 0),
    });
  }
  return new SkeinError(codeOf(status), typeof body.message === "string" ? body.message : `the server answered with status ${status}`);
}

/** An error of the protocol. */
export function wireError(code: WireCode, e: { readonly message: string; readonly hint: string; readonly retryAfterMs: number }): SkeinError {
  return new SkeinError(code === "unspecified" ? "internal" : code, e.message, { hint: e.hint, retryAfterMs: e.retryAfterMs });
}
