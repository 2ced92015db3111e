// How every call is made: one POST of JSON, again with the same id where nobody answered.
import { randomFillSync } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { SkeinError, answerError } from "./error.js";
import { type Input, type Needs, fromJson, toJson } from "./json.js";
import { type Methods, fieldTables } from "./wire.js";

/** What every call takes. */
export interface CallOptions {
  /** Ends the call, and the wait for its next attempt: it rejects with code `aborted`. */
  readonly signal?: AbortSignal | undefined;
}

/** What a call takes: `Needed` has to be there, everything else may be left out. */
export type Ask<M extends keyof Methods, Needed extends keyof Methods[M]["input"] = never> = Needs<Methods[M]["input"], Needed>;

/** Answers of the server API's calls by their paths. */
export type Answer<M extends keyof Methods> = Methods[M]["output"];

/** The way to the server that the domains share. */
export interface Calls {
  /** Makes a call. A request that has room for a client id and none gets one. */
  ask<M extends keyof Methods>(path: M, request: Input<Methods[M]["input"]>, options: CallOptions | undefined): Promise<Answer<M>>;
  /** Lets time pass, at most until the signal fires. */
  wait(ms: number, options: CallOptions | undefined): Promise<void>;
  /** Makes one request. Whatever is answered is good: it rejects with `aborted`, or with `unavailable` when nothing is. */
  reach(path: string, request: Request, options: CallOptions | undefined): Promise<Reached>;
  /** How often what nobody answers is tried. */
  readonly attempts: number;
}

/** A request. */
export interface Request {
  readonly method: "POST" | "HEAD" | "PATCH" | "DELETE";
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array<ArrayBuffer>;
  /** How long it may take, in milliseconds; absent = as long as a call. */
  readonly timeoutMs?: number;
}

/** The answer to one, read to its end. */
export interface Reached {
  readonly answer: Response;
  readonly text: string;
}

/** What `calls` needs to know. */
export interface Way {
  readonly endpoint: string;
  readonly appId: string;
  readonly token: () => string | Promise<string>;
  readonly attempts: number;
  readonly timeoutMs: number;
  readonly fetch: typeof fetch;
}

/** The SDK's version, which its requests name. */
export const version = "0.1.0";

/** How long a call waits before its second attempt, where the server does not say; each further one waits twice as long. */
export const firstWaitMs = 200;

function aborted(signal: AbortSignal): SkeinError {
  return new SkeinError("aborted", "the caller's signal fired", { cause: signal.reason });
}

/** A UUIDv7 of now (RFC 9562 §5.7). */
export function newId(): Uint8Array {
  const id = randomFillSync(new Uint8Array(16));
  const bytes = new DataView(id.buffer);
  const now = Date.now();
  bytes.setUint32(0, Math.floor(now / 0x10000));
  bytes.setUint16(4, now % 0x10000);
  bytes.setUint8(6, 0x70 | (bytes.getUint8(6) & 0x0f));
  bytes.setUint8(8, 0x80 | (bytes.getUint8(8) & 0x3f));
  return id;
}

async function wait(ms: number, options: CallOptions | undefined): Promise<void> {
  const signal = options?.signal;
  try {
    await sleep(ms, undefined, signal ? { signal } : {});
  } catch {
    throw aborted(signal as AbortSignal);
  }
}

async function tokenOf(way: Way): Promise<string> {
  try {
    return await way.token();
  } catch (error) {
    throw error instanceof SkeinError ? error : new SkeinError("unavailable", "the token supplier failed", { cause: error });
  }
}

async function reach(way: Way, path: string, { timeoutMs = way.timeoutMs, headers, ...request }: Request, options: CallOptions | undefined): Promise<Reached> {
  const signal = options?.signal;
  if (signal?.aborted) throw aborted(signal);
  const token = await tokenOf(way);
  const limit = AbortSignal.timeout(timeoutMs);
  try {
    const answer = await way.fetch(`${way.endpoint}/${path}`, {
      ...request,
      headers: { ...headers, "Skein-App": way.appId, "User-Agent": `skein-js-server/${version}`, Authorization: `Bearer ${token}` },
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
    });
    return { answer, text: await answer.text() };
  } catch (cause) {
    if (signal?.aborted) throw aborted(signal);
    throw new SkeinError("unavailable", "the server can not be reached, or did not answer", { cause });
  }
}

/** One attempt. */
async function post(way: Way, path: string, body: string, options: CallOptions | undefined): Promise<unknown> {
  const headers = { "Content-Type": "application/json", "Connect-Protocol-Version": "1" };
  const { answer, text } = await reach(way, `skein.v1.${path}`, { method: "POST", headers, body }, options);
  if (!answer.ok) throw answerError(answer.status, text);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new SkeinError("unavailable", "the server can not be reached, or did not answer", { cause });
  }
}

/** Makes the calls that the domains share. */
export function callsOf(way: Way): Calls {
  return {
    wait,
    reach: (path, request, options) => reach(way, path, request, options),
    attempts: way.attempts,
    async ask(path, request, options) {
      const name = `${path.slice(path.indexOf("/") + 1)}Request`;
      const identified = ` ${fieldTables[name] ?? ""} `.includes(" bclientId ") && !(request as { clientId?: unknown }).clientId;
      const body = JSON.stringify(toJson(name, identified ? { ...request, clientId: newId() } : request));
      for (let n = 1, pause = firstWaitMs; ; n++, pause *= 2) {
        try {
          return fromJson(name.replace(/Request$/, "Response"), await post(way, path, body, options)) as never;
        } catch (error) {
          const e = error as SkeinError;
          if (n >= way.attempts || (e.code !== "unavailable" && e.code !== "rate_limited")) throw e;
          await wait(Math.max(pause, e.retryAfterMs), options);
        }
      }
    },
  };
}

/** A list that is read page by page; `fetch` gives a page and the name of the next, empty when there is none. */
export async function* pages<T>(fetch: (page: string) => Promise<readonly [items: readonly T[], next: string]>): AsyncGenerator<T, void, undefined> {
  for (let page = ""; ; ) {
    const [items, next] = await fetch(page);
    yield* items;
    if ((page = next) === "") return;
  }
}

/** A list whose pages are named by positions; 0 = there is no more. */
export async function* positions<T>(fetch: (seq: number) => Promise<readonly [items: readonly T[], next: number]>): AsyncGenerator<T, void, undefined> {
  for (let seq = 0; ; ) {
    const [items, next] = await fetch(seq);
    yield* items;
    if ((seq = next) === 0) return;
  }
}

/** How often what goes on is looked at, in milliseconds. */
export const lookMs = 250;

/** What an answer always has. */
export function given<T>(value: T | undefined): T {
  if (value === undefined) throw new SkeinError("internal", "the answer lacks what was asked for");
  return value;
}
