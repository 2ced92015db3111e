import type { CallOptions, Unsubscribe } from "./client.js";
import type { Message, Outgoing, Revision, Role, Sendable } from "./message.js";

/** `direct`: two users. `group`: many. `self`: one user's notes. */
export type ConversationKind = "direct" | "group" | "self";

/** A place in a conversation: a seq, and how many countable messages there are up to it. */
export interface Position {
  readonly seq: number;
  readonly ord: number;
}

/** One member of a conversation. */
export interface Member {
  readonly user: string;
  readonly role: Role;
  /** What they have read. */
  readonly read: Position;
}

/** Which members are looked for; all when it says nothing. */
export interface MemberFilter {
  /** Whose user id begins with it, or whose nickname in the group has it somewhere, in any case of letters. */
  readonly query?: string | undefined;
  readonly role?: Role | undefined;
}

/** How the loaded window of messages lies in the conversation. */
export interface WindowState {
  /** `open` (or `jumpTo`) has loaded something, be it nothing. Before it `messages` is empty. */
  readonly opened: boolean;
  /** There is no older message. */
  readonly atStart: boolean;
  /** The window reaches the newest message, so that new ones are appended to it as they come. */
  readonly atEnd: boolean;
  /** What is being loaded now, for a spinner. */
  readonly loading: "none" | "open" | "older" | "newer";
  /** Why the last load stopped short, such as `unavailable` while offline; undefined after a good one. */
  readonly error: import("../error.js").SkeinError | undefined;
}

/**
 * Everything about a conversation at one moment. An immutable value whose identity changes only when
 * something in it did: what `useSyncExternalStore` wants from `getSnapshot`.
 */
export interface ConversationSnapshot {
  readonly id: string;
  readonly kind: ConversationKind;
  /** A group's title; empty for the other kinds. */
  readonly title: string;
  /** The other user of a direct conversation. */
  readonly peer: string | undefined;
  /** False until the server or the store has told anything about it. */
  readonly known: boolean;
  /** The newest position that this user may read. */
  readonly head: Position;
  /** Countable messages past the own read marker. It falls at once when `read` is called. */
  readonly unread: number;
  /** The own read marker. */
  readonly readSeq: number;
  /** The newest message to show in a list, unsent own ones included. */
  readonly lastMessage: Message | undefined;
  /** Milliseconds since 1970 UTC of the newest message, or of the creation: the list's order. */
  readonly activity: number;
  readonly memberCount: number;
  /** Fields of the conversation that the core does not know, as protobuf bytes, for modules. */
  readonly fields: Uint8Array | undefined;
  /** undefined when this user is no member (any more). */
  readonly myRole: Role | undefined;
  /** The others' read markers by user id: of a group the newest 50, of a direct conversation the peer's. */
  readonly readMarkers: ReadonlyMap<string, Position>;
  /** Who else is writing now. */
  readonly typing: readonly string[];
  /** The loaded window, oldest first, without a gap; unsent own messages last. Its identity changes only when it does. */
  readonly messages: readonly Message[];
  readonly window: WindowState;
}

/** Options of `open` and `jumpTo`. */
export interface WindowOptions extends CallOptions {
  /** Messages to load, 1 to 200; default 50. */
  readonly limit?: number | undefined;
}

/** Options of `history`. */
export interface HistoryOptions extends CallOptions {
  /** Pages go back from here, exclusive. Without `before` and `after`: from the newest. */
  readonly before?: Message | number | undefined;
  /** Pages go forward from here, exclusive. Not together with `before`. */
  readonly after?: Message | number | undefined;
  /** Messages a page, 1 to 200; default 50. */
  readonly limit?: number | undefined;
}

/**
 * A conversation: a value that you hold. The client hands out the same object for the same id, for as
 * long as the client lives. Reading it never blocks; it is what this device knows now.
 */
export interface Conversation {
  /** `@5:alice:bob`, a group's id, or `~alice`. */
  readonly id: string;
  readonly kind: ConversationKind;
  /** The other user of a direct conversation. */
  readonly peer: string | undefined;

  /** Everything at this moment; the same object until something changes. */
  readonly snapshot: ConversationSnapshot;
  /** Calls `listener` after every change of `snapshot`, at most once a microtask. */
  subscribe(listener: () => void): Unsubscribe;

  // Short for the same field of `snapshot`.
  readonly title: string;
  readonly head: Position;
  readonly unread: number;
  readonly lastMessage: Message | undefined;
  readonly memberCount: number;
  readonly myRole: Role | undefined;
  readonly readMarkers: ReadonlyMap<string, Position>;
  readonly typing: readonly string[];
  readonly messages: readonly Message[];
  readonly window: WindowState;

  /**
   * Loads the newest messages into the window: from the store at once, then from the server what the
   * store lacks. While it is offline it resolves with what there is. Opening again keeps the window.
   */
  open(options?: WindowOptions): Promise<void>;
  /** Adds a page of older messages before the window. False = the start is reached, or it cannot be asked now. */
  loadOlder(options?: WindowOptions): Promise<boolean>;
  /** Adds a page of newer messages after the window. False = the newest is reached, or it cannot be asked now. */
  loadNewer(options?: WindowOptions): Promise<boolean>;
  /**
   * Makes the window the messages around a seq, without the ones between it and the newest. Resolves
   * with the message there, or the nearest older one. `open` goes back to the newest: see `jumpToLatest`.
   */
  jumpTo(target: Message | number, options?: WindowOptions): Promise<Message | undefined>;
  /** Makes the window the newest messages again. */
  jumpToLatest(options?: WindowOptions): Promise<void>;
  /** Lets the window go, to free its memory; the store keeps everything. */
  unload(): void;

  /**
   * Sends a message. It shows at once (state `sending`), is in the outbox before it is sent, and the
   * promise resolves when the server has stored it. Offline it waits, also across a reload; only a
   * definitive error rejects (and marks the message `failed`). The `signal` ends the waiting, not the sending.
   */
  send(message: Sendable, options?: CallOptions): Promise<Message>;
  /** `send` without the waiting: returns the local echo. Its fate comes as `messageUpdated`. */
  sendLocal(message: Outgoing): Message;
  /** Sends a failed message again. With code `expired` or `client_id_reused` it gets a new id. */
  retry(message: Message, options?: CallOptions): Promise<Message>;
  /** Takes a failed message, or one that was never tried yet, out of the outbox. */
  discard(message: Message, options?: CallOptions): Promise<void>;

  /** Replaces the body of an own message. Shows at once; goes through the outbox like a send. */
  edit(message: Message, body: Outgoing, options?: CallOptions): Promise<Message>;
  /** Empties a message for everybody: an own one, or any when owner or admin of the group. */
  recall(message: Message, options?: CallOptions): Promise<Message>;
  /** Adds the user's reaction, or takes it back with `remove`. */
  react(message: Message, emoji: string, options?: CallOptions & { readonly remove?: boolean | undefined }): Promise<Message>;
  /** Every body that a message has had, oldest first; asks the server. */
  edits(message: Message, options?: CallOptions): Promise<readonly Revision[]>;

  /**
   * Moves the read marker forward to a message, or to the newest one. Shows at once; told to the server
   * at most every 300 ms, and after a time offline.
   */
  read(upTo?: Message | number): void;
  /** Tells the others that the user is writing, at most every 3 s; `false` that they stopped. Call it on each key. */
  setTyping(typing: boolean): void;
  /** Who else has read a message, as far as the markers here tell. */
  readBy(message: Message): readonly string[];

  /** Pages of messages, oldest first within a page: from the store where it has them, else from the server. */
  history(options?: HistoryOptions): AsyncIterable<readonly Message[]>;
  /** Messages of the local store that hold every word of `text`, newest first. */
  search(text: string, options?: CallOptions & { readonly limit?: number | undefined }): Promise<readonly Message[]>;

  /** Pages of members by user id; asks the server. */
  members(options?: CallOptions & MemberFilter & { readonly limit?: number | undefined }): AsyncIterable<readonly Member[]>;
  addMembers(users: readonly string[], options?: CallOptions): Promise<void>;
  removeMember(user: string, options?: CallOptions): Promise<void>;
  /** Ends the own membership; the owner must hand over first (`failed_precondition`). */
  leave(options?: CallOptions): Promise<void>;
  /** Only the owner may. Role `owner` hands the group over. */
  setRole(user: string, role: Role, options?: CallOptions): Promise<void>;
  setTitle(title: string, options?: CallOptions): Promise<void>;
}
