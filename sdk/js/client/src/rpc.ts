// Unary calls by the Connect protocol: a POST of a protobuf message, errors as JSON with the protocol's own error
// as a detail. https://connectrpc.com/docs/protocol says the rest.
import { abortedError } from "./abort.js";
import { type ErrorCode, SkeinError } from "./error.js";
import type { TokenSource } from "./token.js";
import type { Clock } from "./types/environment.js";
import type { HttpResponse, Transport } from "./types/transport.js";
import { core, decode, fromBase64 } from "./wire/codec.js";
import { type Call, callOf } from "./wire/piece.js";
import { type Error as WireError, type Methods, errorCodes } from "./wire/schema.js";

const timeoutMs = 30_000;
const codes = /* @__PURE__ */ errorCodes.split(" ");
/** Past the end of the list: a server that does not say, or says what this SDK does not know. */
const unknownCode = 1e3;

/** A wire error as the SDK's. `serverTimeMs` of it is set with clock_skew and expired. */
export class WireFailure extends SkeinError {
  readonly serverTimeMs: number;

  constructor(error: WireError) {
    const code = (codes[error.code || unknownCode] ?? "internal") as ErrorCode;
    super(code, error.message || code, { hint: error.hint, retryAfterMs: error.retryAfterMs });
    this.serverTimeMs = Math.floor(error.serverTimeUs / 1000);
  }
}

/** What a call needs to know of its client. */
export interface Caller {
  readonly endpoint: string;
  readonly appId: string;
  readonly deviceId: () => string;
  readonly tokens: TokenSource;
  readonly transport: Transport;
  readonly clock: Clock;
}

/** A call of the core's. */
export function coreCall<Path extends keyof Methods>(path: Path): Call<Methods[Path]["input"], Methods[Path]["output"]> {
  return callOf(core, path);
}

/** Calls a method, `Service/Method`. An expired or refused token is replaced once; nothing else is tried again. */
export async function call(caller: Caller, path: string, body: Uint8Array, signal?: AbortSignal): Promise<Uint8Array> {
  for (let attempt = 1; ; attempt++) {
    const token = caller.tokens.current || (await caller.tokens.fetch());
    const response = await post(caller, path, body, token, signal);
    if (response.status === 200) return response.body;
    const error = errorOf(response);
    const refused = error.code === "unauthenticated" || error.code === "token_expired";
    if (!refused || attempt > 1) throw error;
    caller.tokens.drop(token);
  }
}

async function post(caller: Caller, path: string, body: Uint8Array, token: string, signal?: AbortSignal): Promise<HttpResponse> {
  const ended = new AbortController();
  const onAbort = (): void => ended.abort(signal?.reason);
  if (signal?.aborted) throw abortedError(signal);
  signal?.addEventListener("abort", onAbort, { once: true });
  const stop = caller.clock.after(timeoutMs, () => ended.abort());
  try {
    return await caller.transport.post({
      url: `${caller.endpoint}/skein.v1.${path}`,
      headers: {
        "Content-Type": "application/proto",
        "Connect-Protocol-Version": "1",
        Authorization: `Bearer ${token}`,
        "Skein-App": caller.appId,
        "Skein-Device": encodeURIComponent(caller.deviceId()),
      },
      body,
      signal: ended.signal,
    });
  } catch (error) {
    if (signal?.aborted) throw abortedError(signal);
    throw new SkeinError("unavailable", `${path}: the server was not reached`, { cause: error });
  } finally {
    stop();
    signal?.removeEventListener("abort", onAbort);
  }
}

interface ConnectError {
  readonly code?: string;
  readonly message?: string;
  readonly details?: readonly { readonly type?: string; readonly value?: string }[];
}

function errorOf(response: HttpResponse): SkeinError {
  let parsed: ConnectError = {};
  try {
    if (response.contentType.includes("json")) parsed = JSON.parse(new TextDecoder().decode(response.body)) as ConnectError;
    const detail = parsed.details?.find((one) => one.type === "skein.v1.Error");
    if (detail?.value) return new WireFailure(decode("Error", fromBase64(detail.value)));
  } catch {
    // What is in between the server and us answers in its own words.
  }
  let code: ErrorCode = "internal";
  if (parsed.code && codes.includes(parsed.code)) code = parsed.code as ErrorCode;
  else if (response.status === 429) code = "rate_limited";
  else if (response.status >= 502 && response.status <= 504) code = "unavailable";
  else if (response.status === 404) code = "unsupported";
  return new SkeinError(code, parsed.message || `the server answered ${response.status}`, {
    hint: code === "unsupported" ? "is it a Skein server?" : undefined,
  });
}
