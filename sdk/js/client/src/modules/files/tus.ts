// One upload by tus 1.0.0 (https://tus.io/protocols/resumable-upload): creation, PATCH by PATCH, and HEAD to find out
// where it stands after anything that went wrong.
import { asSkeinError } from "../../abort.js";
import { type ErrorCode, SkeinError } from "../../error.js";
import { backOff } from "../../machine/connection.js";
import type { TokenSource } from "../../token.js";
import type { Clock } from "../../types/environment.js";
import { toBase64 } from "../../wire/codec.js";
import type { Http, HttpAnswer, HttpRequest } from "./http.js";

/** How an upload reaches the server. */
export interface Server {
  readonly endpoint: string;
  readonly appId: string;
  readonly deviceId: () => string;
  readonly tokens: TokenSource;
  readonly clock: Clock;
  /** A number in [0, 1). */
  readonly random: () => number;
  readonly http: Http;
  /** Calls `listener` when the connection is there again. */
  readonly onOnline: (listener: () => void) => () => void;
}

/** What is uploaded. */
export interface Source {
  readonly blob: Blob;
  readonly name: string;
  readonly mime: string;
  /** The upload at the server; empty = not begun. */
  readonly upload: string;
}

/** Who uploads. */
export interface Progress<T> {
  readonly signal: AbortSignal;
  /** The upload is another one now; empty = none. Called also when the signal has fired while one was being made. */
  begun(upload: string): void;
  /** How many bytes have gone out. */
  sent(bytes: number): void;
  /** Whether it waits for the network. */
  offline(offline: boolean): void;
  /** What the server made of an upload. `not_found`: it has none of it. */
  made(upload: string): Promise<T>;
}

const kib = 1024;
/** Bytes a request: they double while they take less than a second, and begin small again after a fault. */
const firstChunk = 4096 * kib;
const mostChunk = 32 * firstChunk;
const leastChunk = 256 * kib;
const quickMs = 1000;
/** How long a request may show no sign of life: the last one of an upload is answered when the file is made. */
const silentMs = 60_000;
/** The same when the client has just lost and found its connection: the request's may be lost, too. */
const doubtfulMs = 5_000;
/** How often an upload that the server has forgotten is begun anew. */
const mostAnew = 3;

/** Nobody answered, or somebody else: the page of a network that wants to be paid, say. */
class Unreached extends Error {}

/** An answer that is not what was asked for. */
export class Refused extends SkeinError {
  readonly status: number;

  constructor(answer: HttpAnswer) {
    const { status, text } = answer;
    const named = answer.header("Skein-Error");
    const code = (named?.toLowerCase() as ErrorCode | undefined) ?? codes[status] ?? (status >= 500 || status === 408 ? "unavailable" : "internal");
    const retryAfterMs = 1000 * Number(answer.header("Retry-After") ?? 0) || 0;
    super(code, (named && text.trim()) || `the server answered ${status}`, { retryAfterMs });
    this.status = status;
    // What stands between us and the server has a bound of its own.
    this.narrow = status === 413 && !named;
  }

  readonly narrow: boolean;
}

const codes: Readonly<Record<number, ErrorCode>> = {
  401: "unauthenticated",
  403: "permission_denied",
  404: "not_found",
  409: "failed_precondition",
  410: "not_found",
  413: "too_large",
  423: "unavailable",
  429: "rate_limited",
  // The bytes were damaged on the way.
  460: "unavailable",
  507: "resource_exhausted",
};

/**
 * Errors that pass by themselves. `closed` is what the tab that holds the connection says as it ends, and another takes
 * over; a token that is refused comes new, or this client ends. No place to put the bytes does not pass.
 */
function passes(error: SkeinError): boolean {
  const status = error instanceof Refused ? error.status : 0;
  return ["unavailable", "rate_limited", "closed"].includes(error.code) || status === 401 || (status >= 500 && status !== 507);
}

function encoded(text: string): string {
  return toBase64(new TextEncoder().encode(text));
}

/** Makes a request as the user. A token that is refused is replaced once. */
async function ask(server: Server, path: string, request: Omit<HttpRequest, "url">): Promise<HttpAnswer> {
  const { endpoint, appId, tokens, clock, http } = server;
  for (let attempt = 1; ; attempt++) {
    const token = tokens.current || (await tokens.fetch());
    const ended = new AbortController();
    const end = (): void => ended.abort();
    let alive = clock.now();
    let stop = clock.after(silentMs, end);
    const off = server.onOnline(() => {
      if (clock.now() - alive > doubtfulMs) end();
    });
    request.signal.addEventListener("abort", end);
    if (request.signal.aborted) end();
    try {
      const answer = await http({
        ...request,
        url: `${endpoint}/v1/uploads/${path}`,
        signal: ended.signal,
        headers: {
          Authorization: `Bearer ${token}`,
          "Skein-App": appId,
          "Skein-Device": encodeURIComponent(server.deviceId()),
          "Tus-Resumable": "1.0.0",
          ...request.headers,
        },
        onProgress: (sent) => {
          stop();
          stop = clock.after(silentMs, end);
          alive = clock.now();
          request.onProgress?.(sent);
        },
      });
      if (answer.status < 300) {
        if (answer.header("Tus-Resumable")) return answer;
        throw new Unreached("what answered is no server for uploads");
      }
      const error = new Refused(answer);
      if (answer.status !== 401 || attempt > 1) throw error;
      tokens.drop(token);
    } catch (error) {
      if (error instanceof SkeinError) throw error;
      throw new Unreached("the server was not reached", { cause: error });
    } finally {
      stop();
      off();
      request.signal.removeEventListener("abort", end);
    }
  }
}

/** Tells the server that an upload is given up. */
export async function terminate(server: Server, upload: string): Promise<void> {
  await ask(server, upload, { method: "DELETE", headers: {}, signal: new AbortController().signal });
}

function offsetOf(answer: HttpAnswer): number {
  return Number(answer.header("Upload-Offset") ?? Number.NaN);
}

/** Waits for the next attempt, or for the connection. */
function pause({ clock, random, onOnline }: Server, failures: number, least: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      cancel();
      off();
      signal.removeEventListener("abort", done);
      resolve();
    };
    const cancel = clock.after(Math.max(least, backOff(failures, random)), done);
    const off = onOnline(done);
    signal.addEventListener("abort", done);
  });
}

/**
 * Uploads to the end, whatever happens on the way, and returns what the server made of it. Rejects when that can not be:
 * the signal fired (with its reason), the bytes can not be read, or the server refuses them for good.
 */
export async function upload<T>(server: Server, source: Source, progress: Progress<T>): Promise<T> {
  const { blob } = source;
  const { signal } = progress;
  let id = source.upload;
  let at = Number.NaN; // not known
  let chunk = firstChunk;
  let failures = 0;
  let anew = 0;
  for (;;) {
    signal.throwIfAborted();
    try {
      if (!id) {
        const metadata = `filename ${encoded(source.name.slice(-255))},filetype ${encoded(source.mime)}`;
        const headers = { "Upload-Length": String(blob.size), "Upload-Metadata": metadata };
        // Never given up half-way: an upload that nobody knows counts among the user's for a day.
        const answer = await ask(server, "", { method: "POST", headers, signal: new AbortController().signal });
        // Of an empty one a HEAD makes the file.
        at = blob.size ? 0 : Number.NaN;
        id = answer.header("Location")?.split("/").at(-1) ?? "";
        progress.begun(id);
      } else if (Number.isNaN(at)) at = offsetOf(await ask(server, id, { method: "HEAD", headers: {}, signal }));
      else if (at < blob.size) {
        const begun = server.clock.now();
        const from = at;
        at = Number.NaN;
        const headers = { "Upload-Offset": String(from), "Content-Type": "application/offset+octet-stream" };
        const body = blob.slice(from, from + chunk);
        at = offsetOf(await ask(server, id, { method: "PATCH", headers, body, signal, onProgress: (sent) => progress.sent(Math.min(blob.size, from + sent)) }));
        if (server.clock.now() - begun < quickMs) chunk = Math.min(mostChunk, 2 * chunk);
        failures = 0;
      } else return await progress.made(id);
      if (!Number.isNaN(at)) progress.sent(at);
      progress.offline(false);
    } catch (cause) {
      signal.throwIfAborted();
      const error = cause instanceof Unreached ? cause : asSkeinError(cause, "internal", "the upload failed");
      const status = error instanceof Refused ? error.status : 0;
      at = Number.NaN;
      if (error instanceof SkeinError && error.code === "not_found") {
        // It has ended. When that was because the file was made, that is what is wanted.
        if (status && id) {
          const made = await progress.made(id).catch(() => undefined);
          if (made) return made;
        }
        if (!id || anew++ === mostAnew) throw error;
        id = "";
        progress.sent(0);
        progress.begun(id);
        continue;
      }
      const narrowed = error instanceof Refused && error.narrow && chunk > leastChunk;
      // 409: it stands elsewhere.
      if (error instanceof SkeinError && !passes(error) && status !== 409 && !narrowed) throw error;
      if (error instanceof Unreached) await readable(blob);
      if (!status) progress.offline(true);
      chunk = Math.max(leastChunk, Math.floor(Math.min(chunk, firstChunk) / 4));
      if (narrowed || (status === 409 && !failures)) failures++;
      else await pause(server, failures++, error instanceof SkeinError ? error.retryAfterMs : 0, signal);
    }
  }
}

/** A file that has changed or gone since it was chosen looks like a lost connection. */
async function readable(blob: Blob): Promise<void> {
  try {
    await blob.slice(0, 1).arrayBuffer();
  } catch (cause) {
    throw new SkeinError("data_loss", "the file can not be read any more", { hint: "choose it again", cause });
  }
}
