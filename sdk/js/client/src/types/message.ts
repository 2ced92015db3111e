import type { Delivery, SendOptions } from "./store.js";

/**
 * Contents that modules add: the name of a kind → what a message of it holds. A module extends it by declaration
 * merging, so that `message.content` knows what the app's modules know.
 */
export interface ModuleContents {}

/** A content that a module reads; `unknown` when none of the client's modules does. */
export type MessageContent =
  | { [Type in keyof ModuleContents]: { readonly type: Type } & ModuleContents[Type] }[keyof ModuleContents]
  | { readonly type: "unknown" };

/** Fields that the core does not know, as protobuf bytes, for a module's pieces to read. */
export interface MessageFields {
  /** Of the body's content, beside what the core shows of it. */
  readonly content: Uint8Array | undefined;
  /** Of the entry. */
  readonly entry: Uint8Array | undefined;
  /** Of what later entries say about it (its HistoryItem). */
  readonly item: Uint8Array | undefined;
}

/**
 * What a message shows. `content` is one of a module's kinds: see `Message.content`. `members` and `conversation` are lines of the conversation itself ("Ann added
 * Bob", "the title is now …"); `unreadable` is a body that this device has no key or no code for, or that
 * is gone: look at `Message.recalled` first.
 */
export type MessageKind = "text" | "custom" | "members" | "conversation" | "content" | "unreadable";

/**
 * How far an own message has come. `sending`: in the outbox, also across a reload or a long time
 * offline. `sent`: stored by the server, for good. `failed`: refused with a definitive error, see
 * `Message.error`; `retry` or `discard` it. Messages of others are always `sent`.
 */
export type MessageState = "sending" | "sent" | "failed";

/** A member's role. Exactly one owner in a group. */
export type Role = "member" | "admin" | "owner";

/** A body of the app's own kind. */
export interface CustomContent {
  /** The app's name for it, such as `shop.order`: 1 to 64 of a-z A-Z 0-9 . _ - */
  readonly type: string;
  /** The app's data, usually JSON in UTF-8. At most 16 KiB. */
  readonly data: Uint8Array;
  /** A line for lists and notifications of clients that do not know the type. At most 256 bytes. */
  readonly summary: string;
}

/** Who came, went or changed role. Exactly one of the lists is filled by each change. */
export interface MembersChange {
  readonly added: readonly string[];
  /** Taken out by somebody else. */
  readonly removed: readonly string[];
  /** Left by themselves. */
  readonly left: readonly string[];
  /** Whose role is now `role`. */
  readonly roleChanged: readonly string[];
  readonly role: Role | undefined;
}

/** One emoji on one message. */
export interface Reaction {
  readonly emoji: string;
  /** How many users. */
  readonly count: number;
  /** Whether the signed-in user is one of them. */
  readonly mine: boolean;
  /** The first 100 of them, in the order in which they reacted. */
  readonly users: readonly string[];
}

/** Why a message failed; `code` and `hint` as in SkeinError. A plain value, so that it can be stored. */
export interface MessageFailure {
  readonly code: import("../error.js").ErrorCode;
  readonly message: string;
  readonly hint: string;
}

/**
 * A message as it is now. An immutable value: a change makes a new object, so that `===` says whether
 * anything is to be drawn again. `key` is the same for the whole life of a message, from the local echo
 * on, and unique in its conversation: use it as the key of a list.
 */
export interface Message {
  readonly conversation: string;
  /** The sender's UUIDv7. Unique for one sender. */
  readonly id: string;
  /** Unique within the conversation, and stable from the local echo on. */
  readonly key: string;
  /** The position in the conversation, 1, 2, 3 …; undefined until the server has acknowledged it. */
  readonly seq: number | undefined;
  /** How many countable messages there are up to this one; undefined until acknowledged. */
  readonly ord: number | undefined;
  /** The sender's user id. */
  readonly sender: string;
  /** Whether the signed-in user sent it, from any device. */
  readonly mine: boolean;
  /** Milliseconds since 1970 UTC: the server's time, before the ack this device's estimate of it. */
  readonly time: number;
  readonly kind: MessageKind;
  /** Set with kind `text`, unless recalled. */
  readonly text: string | undefined;
  /** Set with kind `custom`, unless recalled. */
  readonly custom: CustomContent | undefined;
  /** Set with kind `content`, unless recalled: what the client's modules make of it. */
  readonly content: MessageContent | undefined;
  /** How it was sent, where that is not as usual. */
  readonly delivery: Delivery | undefined;
  /** What modules read of the message; undefined when there is nothing. */
  readonly fields: MessageFields | undefined;
  /** Set with kind `members`. */
  readonly members: MembersChange | undefined;
  /** The new title, with kind `conversation`. */
  readonly title: string | undefined;
  /** The seq of the message that this one answers. */
  readonly replyTo: number | undefined;
  readonly mentions: readonly string[];
  readonly state: MessageState;
  /** Set with state `failed`. */
  readonly error: MessageFailure | undefined;
  /** The body was edited; `Conversation.edits` tells every body that it had. */
  readonly edited: boolean;
  /** Taken back for everybody: the body is gone. */
  readonly recalled: boolean;
  readonly reactions: readonly Reaction[];
  /** An edit, a recall or a reaction of this user is shown already and not yet acknowledged. */
  readonly pending: boolean;
}

/**
 * What `send` takes: exactly one of `text`, `custom`, and a content that a module made. `data` of a custom message may be given as
 * a string, which is stored as UTF-8.
 */
export type Outgoing = OutgoingText | OutgoingCustom | OutgoingContent;

/**
 * What modules send beside messages as they stand, such as files that are uploaded first: a module extends it by
 * declaration merging, with a name of its own for each shape.
 */
export interface ModuleOutgoing {}

/** What `Conversation.send` takes. */
export type Sendable = Outgoing | ModuleOutgoing[keyof ModuleOutgoing];

/** What every outgoing message may have. */
export interface OutgoingOptions {
  /** The message that this one answers: a message of the same conversation, or its seq. */
  readonly replyTo?: Message | number | undefined;
  /** User ids that it mentions; they must be members to be notified. At most 100. */
  readonly mentions?: readonly string[] | undefined;
  /** Made by a module: a content of its kind, or what it adds to a text. */
  readonly content?: Uint8Array | undefined;
  /** How it is sent; modules have words for it. */
  readonly options?: SendOptions | undefined;
  /** Made by a module: fields of the request that the core does not know. */
  readonly fields?: Uint8Array | undefined;
}

/** A message of a module's kind. */
export interface OutgoingContent extends OutgoingOptions {
  readonly text?: undefined;
  readonly custom?: undefined;
  readonly content: Uint8Array;
}

/** Plain text, 1 to 16,384 bytes of UTF-8. */
export interface OutgoingText extends OutgoingOptions {
  readonly text: string;
  readonly custom?: undefined;
}

/** A message of the app's own kind. */
export interface OutgoingCustom extends OutgoingOptions {
  readonly text?: undefined;
  readonly custom: {
    readonly type: string;
    readonly data: Uint8Array | string;
    readonly summary?: string | undefined;
  };
}

/** One body that a message has had, see `Conversation.edits`. */
export interface Revision {
  readonly text: string | undefined;
  readonly custom: CustomContent | undefined;
  readonly content: MessageContent | undefined;
  /** Milliseconds since 1970 UTC. */
  readonly time: number;
  /** The seq of the edit; undefined for the original. */
  readonly editSeq: number | undefined;
}
