import type { Parts } from "../client.js";
import type { ConversationHost } from "../conversation.js";
import type { Hub } from "../modules.js";
import type { Event } from "../reduce/reduce.js";
import type { Init } from "../wire/codec.js";
import type { Call, Piece } from "../wire/piece.js";
import type { Entry, HistoryItem } from "../wire/schema.js";
import type { CallOptions, Client, ClientEvents, ClientState, Unsubscribe } from "./client.js";
import type { Conversation } from "./conversation.js";
import type { Message, MessageContent, Sendable } from "./message.js";

export type { Call, Entry, Init, Piece };

/**
 * Adds a feature to a client: `createClient({ modules: { polls: polls() } })` makes `client.polls` what it returns.
 * Made by `defineModule`; called once, by `createClient`, before anything is known of the user.
 */
export type Module<T> = (core: ModuleCore) => T;

/** What `createClient` gives to a module; `defineModule` makes a `ModuleHost` of it. */
export interface ModuleCore extends Parts {
  readonly client: Client;
  readonly host: () => ConversationHost;
  readonly now: () => number;
  readonly call: <I, O>(call: Call<I, O>, input: Init<I>, signal: AbortSignal | undefined) => Promise<O>;
  readonly say: (frame: Uint8Array, answered: boolean, signal: AbortSignal | undefined) => Promise<Uint8Array | undefined>;
  readonly event: (event: Event) => Promise<unknown>;
  /** Set by the first module. */
  hub: Hub | undefined;
}

/** What `createClient` takes as `modules`: by the name that each has on the client. */
export type Modules = Readonly<Record<string, Module<unknown>>>;

/** A client with its modules. */
export type ClientWith<M extends Modules> = Client & { readonly [Name in keyof M]: ReturnType<M[Name]> };

/** A value under a key, with what the user has set and the server has not yet. */
export interface KeyedValue {
  readonly key: string;
  /** Where it stands in the conversation; 0 = it waits in the outbox. */
  readonly seq: number;
  /** Its content, for a piece to read; undefined = the value is empty. */
  readonly content: Uint8Array | undefined;
}

/** A value under a key is another one, or began or ceased to wait in the outbox. */
export interface KeyedChange {
  readonly conversation: string;
  /** undefined = any of them. */
  readonly key: string | undefined;
}

/** An entry of a kind that the core does not know. */
export interface EntryNews {
  readonly conversation: string;
  readonly entry: Entry;
  /** It came by sync: it happened while this device was away. */
  readonly missed: boolean;
}

/**
 * What a module may do with its client. Everything works in every tab: calls and frames go through the tab that holds
 * the connection, which need not know the module. What needs the user rejects or throws `failed_precondition` before `ready`.
 */
export interface ModuleHost {
  /** Empty until `ready`. */
  readonly userId: string;
  readonly state: ClientState;
  readonly ready: Promise<void>;
  /** Server time as far as it is known, milliseconds since 1970 UTC. */
  now(): number;
  /** A new UUIDv7, as the 16 bytes of a `client_id`. */
  newClientId(): Uint8Array;
  /** By any id; the user's own notes are `conversation("~" + userId)`. */
  conversation(id: string): Conversation;
  /** As `client.conversation.list()`, and its changes. */
  conversations(): readonly Conversation[];
  onList(listener: () => void): Unsubscribe;
  on<Name extends keyof ClientEvents>(name: Name, listener: (event: ClientEvents[Name]) => void): Unsubscribe;

  /** A unary call of the module's `wire.ts`. Entries and conversations in the answer change the client's state before it resolves. */
  call<I, O>(call: Call<I, O>, input: Init<I>, options?: CallOptions): Promise<O>;
  /** Says a frame whose answer nobody needs: `clientFrameFields.write({ … })`. Lost when the client is not online. */
  say(frame: Uint8Array): void;
  /**
   * Says a frame and resolves with the fields of the answer that the core does not know; undefined when it has none.
   * Rejects with what the server refused, and with `unavailable` when the connection is or gets lost: then it may have been heard.
   */
  ask(frame: Uint8Array, options?: CallOptions): Promise<Uint8Array | undefined>;
  /** Hears fields of news frames that the core does not know: `serverFrameFields.read(fields)`. */
  onFrame(listener: (fields: Uint8Array) => void): Unsubscribe;

  /**
   * Takes over `Conversation.send` of shapes that are the module's own: returns undefined for others. What it returns is
   * the sender's promise. Called while the module is made.
   */
  sends(take: (conversation: string, message: Sendable, signal: AbortSignal | undefined) => Promise<Message> | undefined): void;

  /**
   * Reads contents of the module's kinds for `message.content`: given the fields that the core does not know, returns what
   * they say, or undefined when they are not this module's. Called while the module is made.
   */
  contents(read: (fields: Uint8Array) => MessageContent | undefined): void;
  /** Keeps entries of a kind from being shown as anything but a change of what a message has beside its content, see `Fold`. Called while the module is made. */
  fold(kind: number, fold: (item: Uint8Array | undefined, entry: Entry, me: string) => Uint8Array | undefined): void;
  /** Hears entries of kinds that the core does not know, those of the first sync of a device aside. */
  onEntry(listener: (news: EntryNews) => void): Unsubscribe;

  /** The values of a conversation, newest of each key, with those that wait in the outbox on top. The same map until one changes. */
  keyed(conversation: string): ReadonlyMap<string, KeyedValue>;
  onKeyed(listener: (change: KeyedChange) => void): Unsubscribe;
  /**
   * Sets a value of the user's own, in the self conversation, on all of their devices: `content` is what a piece of the
   * module's wrote, undefined empties it. It shows at once and waits offline; of several within a second only the last
   * is sent. Resolves when the server has it, or a later value of the same key; rejects when it was refused.
   */
  setKeyed(key: string, content: Uint8Array | undefined, options?: CallOptions): Promise<void>;

  /** Takes positions out of what this device holds, as the server withholds them. */
  withhold(conversation: string, fromSeq: number, toSeq: number): Promise<void>;
  /** Takes messages that a call has returned, wherever they lie, and shows them as they are now: those that this device may show. */
  take(found: { readonly conversation: string; readonly asOf: number; readonly incarnation: string; readonly items: readonly HistoryItem[] }): Promise<readonly Message[]>;
  /** Has what lies before a position loaded from the server again when it is looked at. */
  forget(conversation: string, before: number): Promise<void>;
}
