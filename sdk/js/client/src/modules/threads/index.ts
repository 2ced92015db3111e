/**
 * Threads, topics, polls, pins and extensions: `createClient({ …, modules: { threads: threads() } })` gives `client.threads`.
 *
 * @packageDocumentation
 */
import { SkeinError } from "../../error.js";
import { type CallOptions, type Entry, type Module, type ModuleHost, type Unsubscribe, defineModule } from "../../module.js";
import { react } from "../../reduce/positions.js";
import { sameBytes } from "../../reduce/sync.js";
import type { Conversation } from "../../types/conversation.js";
import type { Message, MessageContent, Outgoing, OutgoingContent, Reaction } from "../../types/message.js";
import type { HistoryItem } from "../../wire/schema.js";
import { View } from "./view.js";
import { type Extension, type HistoryItemFields, type PrivateThread, calls, contentFields, historyItemFields } from "./wire.js";

/** The thread below a message. */
export interface Replies {
  readonly count: number;
  /** The seq of the newest reply. */
  readonly lastSeq: number;
  /** Its time, milliseconds since 1970 UTC. */
  readonly lastTime: number;
  /** Of those who replied the first five. */
  readonly users: readonly string[];
  /** Replies that the user has not read; 0 for who does not follow the thread. */
  readonly unread: number;
  /** Who started the thread, replied or was mentioned in it follows, unless they said otherwise. */
  readonly following: boolean;
}

/** A poll with how often each option was chosen. */
export interface Poll {
  readonly question: string;
  readonly options: readonly PollOption[];
  /** How many options a voter may choose at once. */
  readonly maxChoices: number;
  /** No votes after that, milliseconds since 1970 UTC; undefined = until somebody closes it. */
  readonly closes: number | undefined;
  /** Closed by `closePoll`; see also `closes`. */
  readonly closed: boolean;
}

/** One thing to choose. */
export interface PollOption {
  readonly id: string;
  readonly text: string;
  readonly count: number;
  /** Whether the user has chosen it. */
  readonly mine: boolean;
  /** The first 100 who have. */
  readonly users: readonly string[];
}

/** What `poll` takes. */
export interface NewPoll {
  /** 1 to 512 bytes. */
  readonly question: string;
  /** 2 to 20 of 1 to 128 bytes. */
  readonly options: readonly string[];
  /** Default 1. */
  readonly maxChoices?: number | undefined;
  /** Milliseconds since 1970 UTC. */
  readonly closes?: number | undefined;
}

/** A pinned message with who pinned it. */
export interface Pinned {
  readonly message: Message;
  readonly user: string;
  /** Milliseconds since 1970 UTC. */
  readonly time: number;
}

/** A thread as it is shown. Every change makes a new one. */
export interface ThreadState {
  /** undefined while it is being loaded. */
  readonly root: Message | undefined;
  /** Oldest first, with those that are still being sent. */
  readonly replies: readonly Message[];
  /** No reply lies before the first. */
  readonly atStart: boolean;
  /** No reply lies after the last, so that new ones join as they come. False after `jumpTo` into a long thread. */
  readonly atEnd: boolean;
  readonly loading: boolean;
  readonly error: SkeinError | undefined;
}

/** An open thread: it stays as it is on the server until it is closed. */
export interface ThreadView {
  readonly state: ThreadState;
  subscribe(listener: () => void): Unsubscribe;
  loadOlder(options?: CallOptions): Promise<void>;
  /** Does nothing at the end. */
  loadNewer(options?: CallOptions): Promise<void>;
  /** Shows the reply at a seq with those around it, unless it is shown already; where it is gone, its neighbours. */
  jumpTo(seq: number, options?: CallOptions): Promise<void>;
  /** Sends a reply. */
  send(message: Outgoing, options?: CallOptions): Promise<Message>;
  /** The same without waiting: the local echo. */
  sendLocal(message: Outgoing): Message;
  /** Notes that the user has read all that is shown, on all of their devices. */
  read(): void;
  close(): void;
}

declare module "../../types/message.js" {
  interface ModuleContents {
    /** `client.threads.tally` knows the votes. */
    readonly poll: Omit<Poll, "options"> & { readonly options: readonly Pick<PollOption, "id" | "text">[] };
    /** The root of a topic of a community. */
    readonly topic: { readonly name: string; readonly icon: string; readonly closed: boolean };
    /** A message was pinned, or its pin taken down. */
    readonly pin: { readonly seq: number; readonly removed: boolean };
  }
}

/** What `client.threads` offers. Everything but `sendLocal` needs the network. */
export interface Threads {
  /** The thread below a message; undefined when it has no replies. */
  replies(message: Message): Replies | undefined;
  /** Opens the thread below a message. Close it when it is not shown any more. */
  open(conversation: Conversation | string, root: number): ThreadView;
  /** Threads of a conversation, the one with the newest reply first; `next` continues. */
  list(conversation: Conversation | string, options?: CallOptions & { readonly before?: number | undefined; readonly limit?: number | undefined }): Promise<{ readonly roots: readonly Message[]; readonly next: number | undefined }>;
  follow(conversation: Conversation | string, root: number, follow: boolean): Promise<void>;
  /** Hears that what the user has read or follows is something else, or what is pinned. */
  onChange(listener: (conversation: string) => void): Unsubscribe;

  /** Begins a topic in a community and returns the seq of its root. */
  createTopic(conversation: Conversation | string, topic: { readonly name: string; readonly icon?: string | undefined }, options?: CallOptions): Promise<number>;
  updateTopic(root: Message, topic: { readonly name: string; readonly icon?: string | undefined }, options?: CallOptions): Promise<void>;
  closeTopic(root: Message, options?: CallOptions & { readonly reopen?: boolean | undefined }): Promise<void>;
  /** The topics of a community, oldest first; `next` continues. */
  topics(conversation: Conversation | string, options?: CallOptions & { readonly after?: number | undefined; readonly limit?: number | undefined }): Promise<{ readonly topics: readonly Message[]; readonly next: number | undefined }>;

  /** A poll to `send`. */
  poll(poll: NewPoll): OutgoingContent;
  /** A message's poll with its votes; undefined when it is none. The same object for the same message. */
  tally(message: Message): Poll | undefined;
  /** Chooses options by their ids, in place of what was chosen before; none takes the vote back. */
  vote(message: Message, choices: readonly string[], options?: CallOptions): Promise<void>;
  closePoll(message: Message, options?: CallOptions): Promise<void>;

  pin(message: Message, options?: CallOptions): Promise<void>;
  unpin(message: Message, options?: CallOptions): Promise<void>;
  /** The seqs of what is pinned, the newest pin first, as far as this device knows. */
  pinned(conversation: Conversation | string): readonly number[];
  pins(conversation: Conversation | string, options?: CallOptions): Promise<readonly Pinned[]>;

  /** What is attached to a message. */
  extensions(message: Message): ReadonlyMap<string, Uint8Array>;
  /** Attaches a value of at most 4 KiB under a key of 1 to 64 bytes; undefined takes it away. */
  setExtension(message: Message, key: string, value: Uint8Array | string | undefined, options?: CallOptions): Promise<void>;
  listExtensions(message: Message, options?: CallOptions): Promise<ReadonlyMap<string, Uint8Array>>;
}

// EntryKind: a reply is a message, folded into the root of its thread.
const [replied, voted, extended] = [1, 8, 9];
const [follows, doesNot] = [1, 2];
const mostUsers = 5;

function idOf(conversation: Conversation | string): string {
  return typeof conversation === "string" ? conversation : conversation.id;
}

function seqOf({ seq }: Message): number {
  if (!seq) throw new SkeinError("failed_precondition", "the message is not sent yet");
  return seq;
}

function keyOf(conversation: string, root: number): string {
  return `thread/${conversation}/${root}`;
}

/** The options that a VOTE entry takes back and adds. */
function foldVote(fields: HistoryItemFields, entry: Entry, me: string): HistoryItemFields {
  const chosen = (rest: Uint8Array | undefined): readonly string[] => contentFields.read(rest).vote?.choices ?? [];
  const [now, before] = [chosen(entry.body?.content?.rest), chosen(entry.previousBody?.content?.rest)];
  let { votes } = fields;
  for (const id of before) if (!now.includes(id)) votes = react(votes, me, entry.sender, id, true);
  for (const id of now) if (!before.includes(id)) votes = react(votes, me, entry.sender, id, false);
  return { ...fields, votes };
}

function foldExtension(fields: HistoryItemFields, entry: Entry): HistoryItemFields {
  const { extension } = contentFields.read(entry.body?.content?.rest);
  if (!extension) return fields; // a newer value took its place
  const others = fields.extensions.filter(({ key }) => key !== extension.key);
  const extensions = extension.removed ? others : [...others, extension].sort((a, b) => (a.key < b.key ? -1 : 1));
  return { ...fields, extensions };
}

function foldReply(fields: HistoryItemFields, { sender, seq, timeUs }: Entry): HistoryItemFields {
  const { replyCount = 0, participants = [] } = fields.thread ?? {};
  const users = participants.length < mostUsers && !participants.includes(sender) ? [...participants, sender] : participants;
  return { ...fields, thread: { replyCount: replyCount + 1, lastSeq: seq, lastTimeUs: timeUs, participants: users } };
}

function readContent(fields: Uint8Array): MessageContent | undefined {
  const { poll, topic, pin } = contentFields.read(fields);
  if (topic) return { type: "topic", name: topic.name, icon: topic.icon, closed: topic.closed };
  if (pin) return { type: "pin", seq: pin.seq, removed: pin.removed };
  if (!poll) return undefined;
  const { question, options, maxChoices, closesUs, closed } = poll;
  return { type: "poll", question, options: options.map(({ id, text }) => ({ id, text })), maxChoices: Math.max(maxChoices, 1), closes: closesUs ? Math.floor(closesUs / 1000) : undefined, closed };
}

function mapOf(extensions: readonly Extension[]): ReadonlyMap<string, Uint8Array> {
  return new Map(extensions.map(({ key, value }) => [key, value]));
}

class ThreadsOfHost implements Threads {
  readonly #host: ModuleHost;
  readonly #tallies = new WeakMap<Message, Poll>();
  readonly #pinned = new Map<string, { readonly of: unknown; readonly seqs: readonly number[] }>();

  constructor(host: ModuleHost) {
    this.#host = host;
    host.contents(readContent);
    const fold = (kind: number, step: (fields: HistoryItemFields, entry: Entry, me: string) => HistoryItemFields): void => {
      host.fold(kind, (item, entry, me) => {
        const after = historyItemFields.write(step(historyItemFields.read(item), entry, me));
        return sameBytes(after, item) ? item : after;
      });
    };
    fold(replied, foldReply);
    fold(voted, foldVote);
    fold(extended, foldExtension);
    host.on("message", ({ message }) => {
      const root = message.delivery?.threadSeq;
      if (!root || message.mine || !message.mentions.includes(host.userId) || this.mark(message.conversation, root)?.follow) return;
      this.follow(message.conversation, root, true).catch(() => undefined);
    });
  }

  /** What the user keeps of a thread. */
  mark(conversation: string, root: number): PrivateThread | undefined {
    const value = this.#host.keyed(`~${this.#host.userId}`).get(keyOf(conversation, root));
    return value?.content && contentFields.read(value.content).private?.thread;
  }

  async setMark(conversation: string, root: number, change: Partial<PrivateThread>): Promise<void> {
    const { readSeq = 0, readCount = 0, follow = 0 } = this.mark(conversation, root) ?? {};
    const thread = { readSeq, readCount, follow, ...change };
    await this.#host.setKeyed(keyOf(conversation, root), contentFields.write({ private: { thread } }));
  }

  replies(message: Message): Replies | undefined {
    const { thread } = historyItemFields.read(message.fields?.item);
    if (!thread) return undefined;
    const { replyCount: count, lastSeq, lastTimeUs, participants: users } = thread;
    const mark = this.mark(message.conversation, message.seq ?? 0);
    const { userId } = this.#host;
    const following = mark?.follow ? mark.follow === follows : message.sender === userId || users.includes(userId);
    const unread = following ? Math.max(0, count - (mark?.readCount ?? 0)) : 0;
    return { count, lastSeq, lastTime: Math.floor(lastTimeUs / 1000), users, unread, following };
  }

  open(conversation: Conversation | string, root: number): ThreadView {
    return new View(this.#host, this, idOf(conversation), root);
  }

  async list(conversation: Conversation | string, { before = 0, limit = 0, signal }: Parameters<Threads["list"]>[1] = {}): ReturnType<Threads["list"]> {
    const id = idOf(conversation);
    const { roots, nextBeforeSeq, asOfSeq, incarnation } = await this.#host.call(calls.ListThreads, { conversation: id, limit, beforeSeq: before }, { signal });
    return { roots: await this.#take(id, asOfSeq, incarnation, roots), next: nextBeforeSeq || undefined };
  }

  #take(conversation: string, asOf: number, incarnation: string, items: readonly HistoryItem[]): Promise<readonly Message[]> {
    return this.#host.take({ conversation, asOf, incarnation, items });
  }

  follow(conversation: Conversation | string, root: number, follow: boolean): Promise<void> {
    return this.setMark(idOf(conversation), root, { follow: follow ? follows : doesNot });
  }

  onChange(listener: (conversation: string) => void): Unsubscribe {
    return this.#host.onKeyed(({ conversation, key }) => {
      if (!key || key.startsWith("pinned/")) listener(conversation);
      const thread = key && /^thread\/(.+)\/\d+$/.exec(key)?.[1];
      if (thread) listener(thread);
    });
  }

  async createTopic(conversation: Conversation | string, { name, icon }: { readonly name: string; readonly icon?: string | undefined }, options?: CallOptions): Promise<number> {
    const input = { conversation: idOf(conversation), name, icon: icon ?? "", clientId: this.#host.newClientId() };
    return (await this.#host.call(calls.CreateTopic, input, options)).entry?.seq ?? 0;
  }

  async updateTopic(root: Message, { name, icon }: { readonly name: string; readonly icon?: string | undefined }, options?: CallOptions): Promise<void> {
    await this.#host.call(calls.UpdateTopic, { conversation: root.conversation, rootSeq: seqOf(root), name, icon: icon ?? "", clientId: this.#host.newClientId() }, options);
  }

  async closeTopic(root: Message, { reopen = false, signal }: CallOptions & { readonly reopen?: boolean | undefined } = {}): Promise<void> {
    await this.#host.call(calls.CloseTopic, { conversation: root.conversation, rootSeq: seqOf(root), reopen, clientId: this.#host.newClientId() }, { signal });
  }

  async topics(conversation: Conversation | string, { after = 0, limit = 0, signal }: Parameters<Threads["topics"]>[1] = {}): ReturnType<Threads["topics"]> {
    const id = idOf(conversation);
    const { topics, nextAfterSeq, asOfSeq, incarnation } = await this.#host.call(calls.ListTopics, { conversation: id, limit, afterSeq: after }, { signal });
    return { topics: await this.#take(id, asOfSeq, incarnation, topics), next: nextAfterSeq || undefined };
  }

  poll({ question, options, maxChoices = 1, closes = 0 }: NewPoll): OutgoingContent {
    const poll = { question, options: options.map((text, i) => ({ id: `${i + 1}`, text })), maxChoices, closesUs: closes * 1000 };
    return { content: contentFields.write({ poll }) };
  }

  tally(message: Message): Poll | undefined {
    const { content } = message;
    if (content?.type !== "poll") return undefined;
    const held = this.#tallies.get(message);
    if (held) return held;
    const { votes } = historyItemFields.read(message.fields?.item);
    const none: Reaction = { emoji: "", count: 0, mine: false, users: [] };
    const options = content.options.map((option) => {
      const { count, mine, users } = votes.find(({ emoji }) => emoji === option.id) ?? none;
      return { ...option, count, mine, users };
    });
    const { question, maxChoices, closes, closed } = content;
    const poll = { question, options, maxChoices, closes, closed };
    this.#tallies.set(message, poll);
    return poll;
  }

  async vote(message: Message, choices: readonly string[], options?: CallOptions): Promise<void> {
    await this.#host.call(calls.VotePoll, { conversation: message.conversation, seq: seqOf(message), choices, clientId: this.#host.newClientId() }, options);
  }

  async closePoll(message: Message, options?: CallOptions): Promise<void> {
    await this.#host.call(calls.ClosePoll, { conversation: message.conversation, seq: seqOf(message), clientId: this.#host.newClientId() }, options);
  }

  async pin(message: Message, options?: CallOptions): Promise<void> {
    await this.#host.call(calls.PinMessage, { conversation: message.conversation, seq: seqOf(message), clientId: this.#host.newClientId() }, options);
  }

  async unpin(message: Message, options?: CallOptions): Promise<void> {
    await this.#host.call(calls.UnpinMessage, { conversation: message.conversation, seq: seqOf(message), clientId: this.#host.newClientId() }, options);
  }

  pinned(conversation: Conversation | string): readonly number[] {
    const id = idOf(conversation);
    const values = this.#host.keyed(id);
    const held = this.#pinned.get(id);
    if (held?.of === values) return held.seqs;
    const pins: { readonly seq: number; readonly at: number }[] = [];
    for (const { key, seq: at, content } of values.values()) {
      const pin = key.startsWith("pinned/") && contentFields.read(content).pin;
      if (pin && !pin.removed) pins.push({ seq: pin.seq, at });
    }
    const seqs = pins.sort((a, b) => b.at - a.at).map(({ seq }) => seq);
    this.#pinned.set(id, { of: values, seqs });
    return seqs;
  }

  async pins(conversation: Conversation | string, options?: CallOptions): Promise<readonly Pinned[]> {
    const id = idOf(conversation);
    const { pins, asOfSeq, incarnation } = await this.#host.call(calls.ListPins, { conversation: id }, options);
    const items = pins.flatMap(({ item }) => item ?? []);
    const messages = await this.#take(id, asOfSeq, incarnation, items);
    return pins.flatMap(({ item, user, timeUs }) => {
      const message = messages.find(({ seq }) => seq === item?.entry?.seq);
      return message ? { message, user, time: Math.floor(timeUs / 1000) } : [];
    });
  }

  extensions(message: Message): ReadonlyMap<string, Uint8Array> {
    return mapOf(message.recalled ? [] : historyItemFields.read(message.fields?.item).extensions);
  }

  async setExtension(message: Message, key: string, value: Uint8Array | string | undefined, options?: CallOptions): Promise<void> {
    const bytes = typeof value === "string" ? new TextEncoder().encode(value) : (value ?? new Uint8Array(0));
    const extension = { key, value: bytes, removed: value === undefined };
    await this.#host.call(calls.SetExtension, { conversation: message.conversation, seq: seqOf(message), extension, clientId: this.#host.newClientId() }, options);
  }

  async listExtensions(message: Message, options?: CallOptions): Promise<ReadonlyMap<string, Uint8Array>> {
    return mapOf((await this.#host.call(calls.ListExtensions, { conversation: message.conversation, seq: seqOf(message) }, options)).extensions);
  }
}

/** What an open thread needs of the module. */
export type ThreadsHost = Pick<ThreadsOfHost, "mark" | "setMark" | "replies">;

/** `createClient({ modules: { threads: threads() } })` */
export const threads = (): Module<Threads> => defineModule((host) => new ThreadsOfHost(host));
