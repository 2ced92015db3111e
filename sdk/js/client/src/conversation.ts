import { abortable, abortedError } from "./abort.js";
import { SkeinError } from "./error.js";
import { type PageSource, defaultLimit, maxLimit, readPage } from "./pages.js";
import { type Viewer, bodyOf, peerOf, roles, showItem, showRecord } from "./project.js";
import { type Change, type ConversationState, unreadOf } from "./reduce/state.js";
import type { Extras } from "./modules/extras/index.js";
import type { Call } from "./wire/piece.js";
import type { CallOptions, Unsubscribe } from "./types/client.js";
import type {
  Conversation,
  ConversationKind,
  ConversationSnapshot,
  HistoryOptions,
  Member,
  Position,
  WindowOptions,
  WindowState,
} from "./types/conversation.js";
import type { Message, Outgoing, Role, Sendable } from "./types/message.js";
import type { MessageRecord, OutboxRecord } from "./types/store.js";
import type { Init } from "./wire/codec.js";
import type { Methods } from "./wire/schema.js";
import { Window } from "./window.js";

/** What of an outbox item the caller decides; the client adds ids and times. */
export type NewItem = Pick<OutboxRecord, "op" | "conversation"> &
  Partial<Pick<OutboxRecord, "id" | "body" | "emoji" | "remove" | "key" | "options" | "rest" | "targetSeq" | "targetId">>;

/** What a conversation needs of its client. */
export interface ConversationHost extends PageSource, Viewer {
  /** Puts an item into the outbox. */
  enqueue(item: NewItem): OutboxRecord;
  /** Has a module send what only it knows; undefined = it is a message as it stands. */
  delegate(conversation: ConversationView, message: Sendable, signal: AbortSignal | undefined): Promise<Message> | undefined;
  /** Resolves with the seq when the item is done, rejects when it failed for good. */
  settled(id: string): Promise<number>;
  retry(id: string): Promise<void>;
  discard(id: string): Promise<void>;
  read(conversation: string, seq: number): void;
  setTyping(conversation: string, typing: boolean): void;
  typingIn(conversation: string): readonly string[];
  call<Name extends keyof Methods>(method: Name, input: Init<Methods[Name]["input"]>, signal?: AbortSignal): Promise<Methods[Name]["output"]>;
  post<I, O>(call: Call<I, O>, input: Init<I>, signal: AbortSignal | undefined): Promise<O>;
  readonly extras: Extras;
  newId(): string;
}

const nowhere: Position = { seq: 0, ord: 0 };
const nobody: readonly string[] = [];
const noItems: readonly OutboxRecord[] = [];
const noMarkers: ReadonlyMap<string, Position> = /* @__PURE__ */ new Map();

export function kindOf(id: string): ConversationKind {
  return id.startsWith("@") ? "direct" : id.startsWith("~") ? "self" : "group";
}

/** A message as shown, with what it was made of: the same again gives the same object again. */
interface Cached {
  readonly source: MessageRecord | OutboxRecord;
  readonly ops: readonly OutboxRecord[];
  readonly message: Message;
}

function sameItems(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((item, i) => item === b[i]);
}

export class ConversationView implements Conversation {
  readonly id: string;
  readonly kind: ConversationKind;
  readonly peer: string | undefined;
  readonly #host: ConversationHost;
  readonly #window: Window;
  readonly #listeners = new Set<() => void>();
  declare readonly title: string;
  declare readonly head: Position;
  declare readonly unread: number;
  declare readonly lastMessage: Message | undefined;
  declare readonly memberCount: number;
  declare readonly myRole: Role | undefined;
  declare readonly readMarkers: ReadonlyMap<string, Position>;
  declare readonly typing: readonly string[];
  declare readonly messages: readonly Message[];
  declare readonly window: WindowState;
  declare readonly members: Conversation["members"];
  declare readonly addMembers: Conversation["addMembers"];
  declare readonly removeMember: Conversation["removeMember"];
  declare readonly leave: Conversation["leave"];
  declare readonly setRole: Conversation["setRole"];
  declare readonly setTitle: Conversation["setTitle"];
  declare readonly edits: Conversation["edits"];
  #cache = new Map<string | number, Cached>();
  #snapshot: ConversationSnapshot | undefined;
  #dirty = true;
  #notifying = false;

  // Written as loops because each of them costs a page its bytes.
  static {
    for (const key of "title head unread lastMessage memberCount myRole readMarkers typing messages window".split(" ") as (keyof ConversationSnapshot)[]) {
      Object.defineProperty(this.prototype, key, {
        get(this: ConversationView) {
          return this.snapshot[key];
        },
      });
    }
    for (const name of "members addMembers removeMember leave setRole setTitle edits".split(" ") as (keyof Extras)[]) {
      Object.defineProperty(this.prototype, name, {
        value(this: ConversationView, ...args: readonly never[]) {
          const act = this.#host.extras[name] as unknown as (host: ConversationHost, id: string, ...args: readonly never[]) => unknown;
          return act(this.#host, this.id, ...args);
        },
      });
    }
  }

  constructor(host: ConversationHost, id: string) {
    this.#host = host;
    this.id = id;
    this.kind = kindOf(id);
    this.peer = peerOf(id, host.me);
    this.#window = new Window(host, id, () => this.invalidate());
  }

  get snapshot(): ConversationSnapshot {
    if (this.#snapshot && !this.#dirty) return this.#snapshot;
    this.#dirty = false;
    const next = this.#build();
    const before = this.#snapshot;
    const keys = Object.keys(next) as (keyof ConversationSnapshot)[];
    if (!before || keys.some((key) => before[key] !== next[key])) this.#snapshot = next;
    return this.#snapshot ?? next;
  }

  subscribe(listener: () => void): Unsubscribe {
    const own = (): void => listener();
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }

  /** Something that the snapshot shows may have changed. */
  invalidate(): void {
    // Taken now: who reads the snapshot before the microtask runs makes the new one, and the others still have to hear.
    const before = this.#snapshot;
    this.#dirty = true;
    if (this.#notifying || !this.#listeners.size) return;
    this.#notifying = true;
    queueMicrotask(() => {
      this.#notifying = false;
      if (this.snapshot !== before) for (const listener of [...this.#listeners]) listener();
    });
  }

  handle(change: Change): void {
    this.#window.handle(change);
    this.invalidate();
  }

  /** The positions that are shown. */
  get shown(): readonly [number, number] | undefined {
    return this.#window.range;
  }

  #state(): ConversationState | undefined {
    return this.#host.ledger.conversation(this.id);
  }

  /** What the user did to a message and the server has not confirmed. */
  #opsOn(seq: number, id: string): readonly OutboxRecord[] {
    const ops = this.#host.ledger.state.outbox.ops(this.id);
    if (!ops.size) return noItems;
    return [...ops.values()].filter((op) => op.state === "sending" && (op.targetSeq ? op.targetSeq === seq : op.targetId === id));
  }

  /** What is shown of a record or an item; the same object for as long as nothing in it changes. */
  #show(source: MessageRecord | OutboxRecord, ops: readonly OutboxRecord[], into: Map<string | number, Cached>): Message {
    const key = "version" in source ? source.seq : source.id;
    let cached = this.#cache.get(key) ?? into.get(key);
    if (!cached || cached.source !== source || !sameItems(cached.ops, ops)) {
      const message = "version" in source ? showRecord(source, this.#host, ops) : showItem(source, this.#host, ops);
      cached = { source, ops, message };
    }
    into.set(key, cached);
    return cached.message;
  }

  #build(): ConversationSnapshot {
    const c = this.#state();
    const sends = [...this.#host.ledger.state.outbox.sends(this.id).values()].filter((item) => !item.key && !item.options?.threadSeq);
    const cache = new Map<string | number, Cached>();
    const window = this.#window.state;
    const echoes = sends.map((item) => this.#show(item, this.#opsOn(item.seq, item.id), cache));
    const records = this.#window.records(c).map((record) => this.#show(record, this.#opsOn(record.seq, record.id), cache));
    let messages: readonly Message[] = window.atEnd ? [...records, ...echoes] : records;
    const before = this.#snapshot;
    if (before && sameItems(before.messages, messages)) messages = before.messages;
    const last = echoes.at(-1) ?? (c?.last && this.#show(c.last, this.#opsOn(c.last.seq, c.last.id), cache));
    this.#cache = cache;
    const newest = Math.max(c?.activity ?? 0, sends.at(-1)?.time ?? 0);
    return {
      id: this.id,
      kind: this.kind,
      title: c?.title ?? "",
      peer: this.peer,
      known: c !== undefined && (c.meta > 0 || c.head.seq > 0 || c.created > 0),
      head: c?.head ?? nowhere,
      unread: c ? unreadOf(c) : 0,
      readSeq: c?.read.seq ?? 0,
      lastMessage: last,
      activity: Math.floor(newest / 1000),
      memberCount: c?.members ?? 0,
      fields: c?.rest,
      myRole: c && c.to === 0 ? roles[c.role] : undefined,
      readMarkers: c?.markers ?? noMarkers,
      typing: this.#host.typingIn(this.id),
      messages,
      window,
    };
  }

  /** A message as it is now, if it is in memory. */
  find(seq: number): Message | undefined {
    const record = this.#state()?.messages.get(seq);
    return record && this.#shownAlone(record);
  }

  /** The local echo of an outbox item. */
  echo(id: string): Message | undefined {
    const item = this.#host.ledger.state.outbox.get(id);
    return item && showItem(item, this.#host, this.#opsOn(item.seq, id));
  }

  #shownAlone(record: MessageRecord): Message {
    const ops = this.#opsOn(record.seq, record.id);
    const cached = this.#cache.get(record.seq);
    return cached?.source === record && sameItems(cached.ops, ops) ? cached.message : showRecord(record, this.#host, ops);
  }

  async open({ limit, signal }: WindowOptions = {}): Promise<void> {
    await abortable(this.#window.open(limit ?? defaultLimit), signal);
    const unknownGroup = this.kind === "group" && !this.#state()?.meta;
    if (unknownGroup) await this.#host.call("ConversationService/GetConversation", { conversation: this.id }, signal).catch(() => undefined);
  }

  async loadOlder(options: WindowOptions = {}): Promise<boolean> {
    const { messages } = this;
    const more = await abortable(this.#window.older(options.limit ?? defaultLimit), options.signal);
    // Replies in threads fill pages that show nothing.
    return more && this.messages === messages ? this.loadOlder(options) : more;
  }

  loadNewer({ limit, signal }: WindowOptions = {}): Promise<boolean> {
    return abortable(this.#window.newer(limit ?? defaultLimit), signal);
  }

  async jumpTo(target: Message | number, { limit, signal }: WindowOptions = {}): Promise<Message | undefined> {
    const seq = typeof target === "number" ? target : target.seq;
    if (seq === undefined) {
      await this.jumpToLatest({ limit, signal });
      return target as Message;
    }
    const record = await abortable(this.#window.jump(seq, limit ?? defaultLimit), signal);
    return record && this.#shownAlone(record);
  }

  jumpToLatest({ limit, signal }: WindowOptions = {}): Promise<void> {
    return abortable(this.#window.latest(limit ?? defaultLimit), signal);
  }

  unload(): void {
    this.#window.unload();
  }

  sendLocal(message: Outgoing): Message {
    const item = this.#host.enqueue({ op: "send", conversation: this.id, body: bodyOf(message, this.id), options: message.options, rest: message.fields });
    return showItem(item, this.#host, noItems);
  }

  async send(message: Sendable, { signal }: CallOptions = {}): Promise<Message> {
    if (signal?.aborted) throw abortedError(signal);
    return this.#host.delegate(this, message, signal) ?? this.#sent(this.sendLocal(message as Outgoing), signal);
  }

  /** Resolves with a message of the outbox when the server has it. */
  async #sent(echo: Message, signal?: AbortSignal, retry?: () => Promise<void>): Promise<Message> {
    const settled = this.#host.settled(echo.id);
    settled.catch(() => undefined);
    await retry?.();
    const seq = await abortable(settled, signal);
    const [record] = await this.#host.ledger.bringAt(this.id, [seq]);
    return record ? this.#shownAlone(record) : (this.echo(echo.id) ?? { ...echo, seq, state: "sent", error: undefined });
  }

  retry(message: Message, { signal }: CallOptions = {}): Promise<Message> {
    return this.#sent(message, signal, () => this.#host.retry(message.id));
  }

  discard(message: Message, { signal }: CallOptions = {}): Promise<void> {
    return abortable(this.#host.discard(message.id), signal);
  }

  edit(message: Message, body: Outgoing, { signal }: CallOptions = {}): Promise<Message> {
    return this.#act(message, { op: "edit", body: bodyOf({ replyTo: message.replyTo, ...body }, this.id) }, signal);
  }

  recall(message: Message, { signal }: CallOptions = {}): Promise<Message> {
    return this.#act(message, { op: "recall" }, signal);
  }

  react(message: Message, emoji: string, { remove = false, signal }: CallOptions & { readonly remove?: boolean | undefined } = {}): Promise<Message> {
    return this.#act(message, { op: "react", emoji, remove }, signal);
  }

  /** Puts something about a message into the outbox, and waits until it is done. */
  async #act(message: Message, item: Omit<NewItem, "conversation">, signal: AbortSignal | undefined): Promise<Message> {
    if (message.conversation !== this.id) throw new SkeinError("invalid_argument", "the message is of another conversation");
    if (message.state === "failed") {
      throw new SkeinError("failed_precondition", "the message was not sent", { hint: "retry or discard it" });
    }
    const { id } = this.#host.enqueue({ ...item, conversation: this.id, targetSeq: message.seq ?? 0, targetId: message.id });
    await abortable(this.#host.settled(id), signal);
    const there = this.#state()?.messages.values() ?? [];
    const record = message.seq
      ? (await this.#host.ledger.bringAt(this.id, [message.seq]))[0]
      : [...there].find((one) => one.id === message.id && one.sender === message.sender);
    return record ? this.#shownAlone(record) : (this.echo(message.id) ?? message);
  }

  read(upTo?: Message | number): void {
    const seq = typeof upTo === "object" ? upTo.seq : (upTo ?? this.#state()?.live);
    if (seq) this.#host.read(this.id, seq);
  }

  setTyping(typing: boolean): void {
    this.#host.setTyping(this.id, typing);
  }

  readBy(message: Message): readonly string[] {
    const { seq } = message;
    if (seq === undefined) return nobody;
    return [...(this.#state()?.markers ?? noMarkers)].filter(([user, marker]) => user !== message.sender && marker.seq >= seq).map(([user]) => user);
  }

  async *history({ before, after, limit, signal }: HistoryOptions = {}): AsyncGenerator<readonly Message[]> {
    if (before !== undefined && after !== undefined) throw new SkeinError("invalid_argument", "give before or after, not both");
    const { id: conversation } = this;
    // Not one that this device knows, nor one of the user's own by its id: only the server can tell whether it exists.
    if (!this.#state()?.meta && this.kind !== "self" && this.peer === undefined) await this.#host.call("ConversationService/GetConversation", { conversation }, signal);
    // One in which nothing was said, or that began with what is still on its way.
    else if (!this.#state()?.head.seq) await this.#host.fetchPage({ conversation, limit: defaultLimit }, signal);
    const seqOf = (place: Message | number): number => (typeof place === "number" ? place : (place.seq ?? Infinity));
    const up = after !== undefined;
    let at = up ? seqOf(after) + 1 : before === undefined ? Infinity : seqOf(before) - 1;
    for (;;) {
      const size = Math.min(Math.max(1, limit ?? defaultLimit), maxLimit);
      const page = await readPage(this.#host, this.id, at, up ? "up" : "down", size, signal);
      const records = page.records.filter(({ delivery }) => !delivery?.threadSeq);
      if (records.length) yield records.map((record) => this.#shownAlone(record));
      if (page.error) throw page.error;
      const far = up ? page.records.at(-1) : page.records[0];
      if (page.edge || !far) return;
      at = up ? far.seq + 1 : far.seq - 1;
    }
  }

  async search(text: string, { limit = defaultLimit, signal }: CallOptions & { readonly limit?: number | undefined } = {}): Promise<readonly Message[]> {
    const hits = await this.#host.extras.search(this.#host.ledger, [this.id], text, limit, signal);
    return hits.map((record) => this.#shownAlone(record));
  }
}
