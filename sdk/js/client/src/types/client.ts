import type { SkeinError } from "../error.js";
import type { Conversation, Position } from "./conversation.js";
import type { Clock, Environment, Random } from "./environment.js";
import type { Message } from "./message.js";
import type { Modules } from "./module.js";
import type { Store } from "./store.js";
import type { Extras } from "../modules/extras/index.js";
import type { Transport } from "./transport.js";

/** What every asynchronous call takes. */
export interface CallOptions {
  /** Ends the waiting: the call rejects with code `aborted`. */
  readonly signal?: AbortSignal | undefined;
}

/** Ends a subscription. Calling it again does nothing. */
export type Unsubscribe = () => void;

/** Groups devices for the app's login policy. */
export type Platform = "web" | "android" | "ios" | "desktop" | "server";

/**
 * Gets a user token (a JWT) from your own back end, which holds the app's secret. Called before the
 * first connection, before the token ends, and when the server refuses it; never for every call.
 */
export type TokenSupplier = (options: { readonly signal: AbortSignal }) => string | Promise<string>;

/** Options of a client with modules. */
export interface ModuleOptions<M extends Modules> {
  /** Features beyond the core, by the name that they get on the client. Give a store's client the same ones each time. */
  readonly modules?: M | undefined;
}

/** What `createClient` takes. There is no place for a secret, on purpose: a client can not keep one. */
export interface ClientOptions {
  /** Where the server is: `https://chat.example.com`, a path prefix allowed. */
  readonly endpoint: string;
  readonly appId: string;
  readonly token: TokenSupplier;
  /**
   * The user whom the tokens will be for. Give it when you know it: the store then opens at once, also
   * offline. Else it is read from the first token, or while none can be had from what the store remembers.
   * A token of somebody else stops the client.
   */
  readonly userId?: string | undefined;
  /** Default: made once and kept in the store. All tabs of a browser profile are one device. */
  readonly deviceId?: string | undefined;
  /** Default `web` in a browser, `server` in Node. */
  readonly platform?: Platform | undefined;
  /** For the person to recognise it in the list of devices. At most 64 bytes. */
  readonly deviceName?: string | undefined;
  /** Where messages, outbox and cursor are kept. Default: IndexedDB where there is one, else memory. */
  readonly store?: Store | undefined;
  /** How bytes get to the server. Default: WebSocket and fetch. */
  readonly transport?: Transport | undefined;
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
  /** Tells of the network coming back and of the page becoming visible. */
  readonly environment?: Environment | undefined;
  /**
   * What the package root has by itself and `./core` has not, to stay small: the store in memory, local search, the list
   * of devices, changes of groups and their members, earlier bodies of edited messages, `presence.fetch` and `frame`
   * events. Without them those calls reject with `unsupported`, and `store` must be given. Import `extras` from
   * `@skein/client/extras`.
   */
  readonly extras?: Extras | undefined;
  /** Emit `frame` events with every frame that goes in or out. They hold messages, never the token. */
  readonly debug?: boolean | undefined;
}

/**
 * Where the connection is.
 * - `idle`: `connect` was not called yet.
 * - `connecting`: a socket is being opened. `syncing`: it is open, and what was missed is coming.
 * - `online`: everything up to now is here, and news comes as it happens.
 * - `waiting`: not connected; tries again at `retryAt`, or at once when the network comes back.
 * - `signedOut`: this device was signed out, or its tokens are refused. Nothing is tried any more.
 * - `replaced`: another connection of the same device took over. Nothing is tried any more.
 * - `closed`: `close` was called, or the server can not be spoken to at all (see the error).
 */
export type ClientState =
  | "idle"
  | "connecting"
  | "syncing"
  | "online"
  | "waiting"
  | "signedOut"
  | "replaced"
  | "closed";

/** The client's own state at one moment; immutable, for `useSyncExternalStore`. */
export interface ClientSnapshot {
  readonly state: ClientState;
  /** Why it waits or stopped. */
  readonly error: SkeinError | undefined;
  /** With `waiting`: when it tries again, milliseconds since 1970 UTC of this device's clock. */
  readonly retryAt: number | undefined;
  /** The signed-in user; empty until known (`ready`). */
  readonly userId: string;
  readonly deviceId: string;
  /** `leader`: this tab holds the connection. `follower`: another tab does. `alone`: there are no tabs. */
  readonly tab: "alone" | "leader" | "follower";
  /** Unsent messages, edits, recalls and reactions. */
  readonly outbox: number;
}

/** A new state of the connection. */
export interface StateEvent {
  readonly state: ClientState;
  readonly error: SkeinError | undefined;
  readonly retryAt: number | undefined;
}

/**
 * A message that this device did not know yet: of anyone, the user's other devices included; its own sends
 * come as `messageUpdated`. In order within a conversation. Neither the first sync of a new device nor history raises it.
 */
export interface MessageNews {
  readonly conversation: Conversation;
  readonly message: Message;
  /** It came by sync: it happened while this device was away. Not a reason for a sound. */
  readonly missed: boolean;
}

/** A message that changed: an own one as it is sent, acknowledged, failed; any one edited, recalled, reacted to. */
export interface MessageChange {
  readonly conversation: Conversation;
  readonly message: Message;
}

/** A message that is gone: discarded, or withheld by the server. */
export interface MessageRemoval {
  readonly conversation: Conversation;
  /** As it was last. */
  readonly message: Message;
}

/** A conversation is new, or its head, unread count, title, members or read markers changed. */
export interface ConversationChange {
  readonly conversation: Conversation;
}

/** Somebody else began or stopped writing. */
export interface TypingEvent {
  readonly conversation: Conversation;
  readonly user: string;
  readonly typing: boolean;
}

/** Whether a user is online. Up to 60 s old. */
export interface Presence {
  readonly user: string;
  readonly online: boolean;
  /** Milliseconds since 1970 UTC; undefined when online or never seen. */
  readonly lastSeen: number | undefined;
  /** What the core does not know, for a module. */
  readonly fields?: Uint8Array | undefined;
}

/** How the catching up goes. */
export interface SyncEvent {
  /** Conversations that came so far. */
  readonly done: number;
  /** Of how many; 0 = unknown. */
  readonly total: number;
  /** False with the last page. */
  readonly more: boolean;
}

/** A frame as it crossed the connection, for a developer's panel. Needs `debug: true`. */
export interface FrameEvent {
  readonly direction: "in" | "out";
  /** Milliseconds since 1970 UTC of this device's clock. */
  readonly time: number;
  /** The frame's name: `send`, `ack`, `entry`, `welcome` … */
  readonly name: string;
  /** The frame in the proto3 JSON mapping (in `./core`: as it was decoded), tokens replaced by "…". */
  readonly frame: unknown;
}

/** What `client.on` can hear. */
export interface ClientEvents {
  readonly state: StateEvent;
  readonly message: MessageNews;
  readonly messageUpdated: MessageChange;
  readonly messageRemoved: MessageRemoval;
  readonly conversation: ConversationChange;
  readonly typing: TypingEvent;
  readonly presence: Presence;
  readonly sync: SyncEvent;
  /** What went wrong without a call to reject: the token supplier threw, the store is full, the server had a defect. */
  readonly error: SkeinError;
  readonly frame: FrameEvent;
}

/** One signed-in device of the user. */
export interface Device {
  readonly id: string;
  readonly platform: Platform | undefined;
  readonly name: string;
  /** Milliseconds since 1970 UTC. */
  readonly created: number;
  readonly lastSeen: number;
  readonly online: boolean;
  /** This very device. */
  readonly current: boolean;
}

/** What `conversation.createGroup` takes. */
export interface NewGroup {
  /** 1 to 64 of a-z A-Z 0-9 _ -; absent = the server makes one. With an id a second call finds the first one's group. */
  readonly id?: string | undefined;
  /** At most 128 bytes. */
  readonly title: string;
  /** Beside the creator. At most 999. */
  readonly members: readonly string[];
}

/** Finds and makes conversations. */
export interface Conversations {
  /** The direct conversation with a user: it exists from the start, without a call. Needs `ready`. */
  with(userId: string): Conversation;
  group(id: string): Conversation;
  /** The user's notes to themself. Needs `ready`. */
  self(): Conversation;
  /** By any id: direct, group or self. */
  get(id: string): Conversation;
  /** Those with activity, newest first. The same array until something changes. */
  list(): readonly Conversation[];
  /** Calls `listener` when `list()` changed: its order, its members, or anything in them. */
  subscribe(listener: () => void): Unsubscribe;
  createGroup(group: NewGroup, options?: CallOptions): Promise<Conversation>;
}

/** The devices of the user. */
export interface Devices {
  list(options?: CallOptions): Promise<readonly Device[]>;
  /** Its socket is closed and its token refused before this resolves. */
  signOut(deviceId: string, options?: CallOptions): Promise<void>;
}

/** Who is online. */
export interface Presences {
  /** Hears of these users (at most 500 over all watches) until the returned function is called. News comes as `presence` events. */
  watch(users: readonly string[]): Unsubscribe;
  /** What is known of a watched user. */
  get(user: string): Presence | undefined;
  /** Asks once, for at most 200 users; those who share no conversation with the user are left out. */
  fetch(users: readonly string[], options?: CallOptions): Promise<readonly Presence[]>;
}

/** Options of `client.search`. */
export interface SearchOptions extends CallOptions {
  readonly conversation?: Conversation | string | undefined;
  /** Default 50. */
  readonly limit?: number | undefined;
}

/** One message found. */
export interface SearchHit {
  readonly conversation: Conversation;
  readonly message: Message;
}

/** A signed-in user on this device. Made by `createClient`. */
export interface Client {
  readonly endpoint: string;
  readonly appId: string;
  readonly state: ClientState;
  /** Empty until `ready`. */
  readonly userId: string;
  readonly snapshot: ClientSnapshot;
  /** Calls `listener` after every change of `snapshot`. */
  subscribe(listener: () => void): Unsubscribe;

  /**
   * Opens the store and keeps a connection from now on. Resolves when it is online for the first time;
   * rejects only when that can not happen any more (signed out, closed, replaced) or by the signal,
   * which ends the waiting and not the connecting. Offline use does not wait for it: see `ready`.
   */
  connect(options?: CallOptions): Promise<void>;
  /** Resolves when the user is known and the last state is loaded from the store. Starts with `connect`. */
  readonly ready: Promise<void>;
  /** Ends the connection and lets the store go. The outbox stays in the store. For good: make a new client to come back. */
  close(): Promise<void>;
  /** Signs this device out at the server (when it can be reached), erases what the store holds of the user, and closes. */
  signOut(options?: CallOptions): Promise<void>;

  /** Calls `listener` for each event of that name; the returned function ends it. */
  on<Name extends keyof ClientEvents>(name: Name, listener: (event: ClientEvents[Name]) => void): Unsubscribe;

  readonly conversation: Conversations;
  readonly devices: Devices;
  readonly presence: Presences;
  /** Messages of the local store that hold every word of `text`, newest first. */
  search(text: string, options?: SearchOptions): Promise<readonly SearchHit[]>;
}

export type { Position };
