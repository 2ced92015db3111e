// @skein/server: what a customer's own back end calls. It holds the app's secret, and so belongs on a machine of yours;
// the client for browsers never imports it, and bundlers for browsers do not find it.
import { apps, type Apps } from "./apps.js";
import { archive, type Archive } from "./archive.js";
import { board, type Board } from "./board.js";
import { broadcasts, type Broadcasts } from "./broadcasts.js";
import { callsOf } from "./calls.js";
import { SkeinError } from "./error.js";
import { files, type Files } from "./files.js";
import { groups, type Groups } from "./groups.js";
import { joins, type Joins } from "./joins.js";
import type { Input } from "./json.js";
import { members, type Members } from "./members.js";
import { messages, type Messages } from "./messages.js";
import { rooms, type Rooms } from "./rooms.js";
import { threads, type Threads } from "./threads.js";
import { users, type Users } from "./users.js";
import { type VoiceCalls, voiceCalls } from "./voicecalls.js";
import type { Attachment, Body, File } from "./wire.js";

export type { Apps } from "./apps.js";
export type { Archive, Imported } from "./archive.js";
export type { Board } from "./board.js";
export type { Broadcasts } from "./broadcasts.js";
export { type Ask, type CallOptions, newId } from "./calls.js";
export { type ErrorCode, SkeinError, type SkeinErrorDetails } from "./error.js";
export type { Files } from "./files.js";
export type { Groups } from "./groups.js";
export type { Joins } from "./joins.js";
export type { Input } from "./json.js";
export type { Members } from "./members.js";
export type { Messages } from "./messages.js";
export type { Rooms } from "./rooms.js";
export type { Threads } from "./threads.js";
export { type SignerOptions, signer } from "./token.js";
export type { NewFile } from "./upload.js";
export type { NewUser, Users } from "./users.js";
export type { VoiceCalls } from "./voicecalls.js";
export type * from "./wire.js";

/** What `createServer` takes. */
export interface ServerOptions {
  /** Where the server is: `https://im.example.com`, a path prefix allowed. */
  readonly endpoint: string;
  readonly appId: string;
  /** Gives a token of scope `server`; asked before each call. See `signer`. */
  readonly token: () => string | Promise<string>;
  /**
   * How often a call is tried when the server does not answer or asks to wait (`unavailable`, `rate_limited`); default 4,
   * 1 = once. Between them is what the server asks for, or 0.2 s, 0.4 s and so on.
   */
  readonly attempts?: number | undefined;
  /** How long an attempt may take, in milliseconds; default 30,000. A request of `upload` has 150,000 for its 8 MiB. */
  readonly timeoutMs?: number | undefined;
  /** Default: the global one. */
  readonly fetch?: typeof fetch | undefined;
}

/**
 * Calls of a back end. All of them may be made again: a request that has a `clientId` is given a new one when it has
 * none, and every attempt shows it. Give one yourself, by `newId`, where a retry of your own must have no second effect.
 * What is refused rejects with a SkeinError. A list is read page by page, as far as you read it. A change returns its
 * entry, undefined when nothing had to be changed.
 */
export interface Server extends Apps, Archive, Board, Broadcasts, Files, Groups, Joins, Members, Messages, Rooms, Threads, Users, VoiceCalls {}

/** Makes the calls of a back end. It calls nothing yet. */
export function createServer(options: ServerOptions): Server {
  const { endpoint, appId, token, attempts = 4, timeoutMs = 30_000 } = options;
  if (!endpoint || !appId || typeof token !== "function") throw new SkeinError("invalid_argument", "endpoint, appId and token are needed");
  const calls = callsOf({ endpoint: endpoint.replace(/\/+$/, ""), appId, token, attempts, timeoutMs, fetch: options.fetch ?? fetch });
  return {
    ...apps(calls),
    ...archive(calls),
    ...board(calls),
    ...broadcasts(calls),
    ...files(calls),
    ...groups(calls),
    ...joins(calls),
    ...members(calls),
    ...messages(calls),
    ...rooms(calls),
    ...threads(calls),
    ...users(calls),
    ...voiceCalls(calls),
  };
}

/** The body of a message that is a text. */
export function text(words: string): Input<Body> {
  return { scheme: "content", content: { text: { text: words } } };
}

/** What a message says of a file: what the server found in it. Add more, such as `poster` or `voice`, by a spread. */
export function attachment({ id, name, mime, size, sha256, media }: File): Input<Attachment> {
  const { width, height, durationMs, thumb, animated, waveform } = media ?? {};
  return { file: id, name, mime, size, sha256, width, height, durationMs, thumb, animated, waveform };
}

/** The body of a message that has 1 to 20 files. */
export function attachments(caption: string, ...items: readonly Input<Attachment>[]): Input<Body> {
  return { scheme: "content", content: { attachments: { caption, items } } };
}
