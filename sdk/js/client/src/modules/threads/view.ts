// An open thread: a page of replies from the server, kept up to date by the client's events.
import { SkeinError } from "../../error.js";
import type { CallOptions, ModuleHost, Unsubscribe } from "../../module.js";
import type { Message, Outgoing } from "../../types/message.js";
import type { ThreadState, ThreadView, ThreadsHost } from "./index.js";
import { calls } from "./wire.js";

const pageOfReplies = 50;
const end = Number.MAX_SAFE_INTEGER;

/** Where a page lies; nothing = at the end. */
interface Asked {
  readonly beforeSeq?: number;
  readonly afterSeq?: number;
}

/** Whether a page reaches the ends of the thread, and its own first and last seq. */
interface Page {
  readonly atStart: boolean;
  readonly atEnd: boolean;
  readonly first: number;
  readonly last: number;
}

export class View implements ThreadView {
  state: ThreadState = { root: undefined, replies: [], atStart: false, atEnd: true, loading: true, error: undefined };
  readonly #host: ModuleHost;
  readonly #threads: ThreadsHost;
  readonly #conversation: string;
  readonly #root: number;
  readonly #listeners = new Set<() => void>();
  readonly #held = new Map<string, Message>();
  /** Between these seqs every reply is held; what is held beyond them is not shown, for there may be others in between. */
  #low = end;
  #high = end;
  #loading: Promise<void> = Promise.resolve();
  readonly #off: Unsubscribe[];
  #closed = false;

  constructor(host: ModuleHost, threads: ThreadsHost, conversation: string, root: number) {
    this.#host = host;
    this.#threads = threads;
    this.#conversation = conversation;
    this.#root = root;
    const hear = ({ message }: { readonly message: Message }): void => this.#put([message]);
    this.#off = [
      host.on("message", hear),
      host.on("messageUpdated", hear),
      host.on("messageRemoved", ({ message }) => {
        if (message.conversation !== conversation || !this.#held.delete(message.key)) return;
        this.#show({});
      }),
      host.on("state", ({ state }) => {
        if (state === "online" && !this.state.loading) void this.#refresh();
      }),
    ];
    void this.#newest();
  }

  subscribe(listener: () => void): Unsubscribe {
    const own = (): void => listener();
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }

  /** Takes those of the messages that belong here. */
  #put(messages: readonly Message[]): void {
    let root = this.state.root;
    let news = false;
    for (const message of messages) {
      if (message.conversation !== this.#conversation) continue;
      if (message.seq === this.#root) root = message;
      else if (message.delivery?.threadSeq === this.#root) this.#held.set(message.key, message);
      else continue;
      news = true;
    }
    if (news) this.#show({ root });
  }

  #show(part: Partial<ThreadState>): void {
    if (this.#closed) return;
    const replies = [...this.#held.values()]
      .filter(({ seq }) => !seq || (seq >= this.#low && seq <= this.#high))
      .sort((a, b) => (a.seq ?? end) - (b.seq ?? end) || a.time - b.time);
    this.state = { ...this.state, replies, ...part, atEnd: this.#high === end };
    for (const listener of [...this.#listeners]) listener();
  }

  /** Reads pages one after the other, then lets `take` move the edges. It does not fail: the state says what went wrong. */
  async #load(asked: readonly Asked[], take: (...pages: Page[]) => boolean, signal: AbortSignal | undefined): Promise<void> {
    this.#show({ loading: true, error: undefined });
    try {
      const conversation = this.#conversation;
      const pages: Page[] = [];
      for (const part of asked) {
        const { root, items, ...page } = await this.#host.call(calls.ListThread, { conversation, rootSeq: this.#root, limit: pageOfReplies, ...part }, { signal });
        this.#put(await this.#host.take({ conversation, asOf: page.asOfSeq, incarnation: page.incarnation, items: root ? [root, ...items] : items }));
        pages.push({ atStart: page.atStart, atEnd: page.atEnd, first: items[0]?.entry?.seq ?? end, last: items.at(-1)?.entry?.seq ?? 0 });
      }
      this.#show({ atStart: take(...pages), loading: false });
    } catch (error) {
      this.#show({ loading: false, error: error instanceof SkeinError ? error : new SkeinError("internal", "the thread could not be read") });
    }
  }

  /** One load after the other, so that none moves the edges of another. */
  #then(asked: () => readonly Asked[], take: (...pages: Page[]) => boolean, { signal }: CallOptions = {}): Promise<void> {
    const next = this.#loading.then(() => {
      const parts = this.#closed ? [] : asked();
      return parts.length > 0 ? this.#load(parts, take, signal) : undefined;
    });
    this.#loading = next;
    return next;
  }

  #newest(): Promise<void> {
    return this.#then(
      () => [{}],
      ({ atStart, first }) => {
        const known = Math.max(0, ...this.state.replies.map(({ seq = 0 }) => seq));
        this.#high = end;
        // It goes on where one was, unless more came than a page has.
        if (!atStart && first <= known) return this.state.atStart;
        this.#low = atStart ? 0 : first;
        return atStart;
      },
    );
  }

  /** What changed while the connection was away. */
  #refresh(): Promise<void> {
    if (this.#high === end) return this.#newest();
    return this.#then(
      () => [{ afterSeq: Math.max(this.#low - 1, this.#root) }],
      (page) => this.#upTo(page),
    );
  }

  #upTo({ atEnd, last }: Page): boolean {
    this.#high = atEnd ? end : Math.max(this.#high, last);
    return this.state.atStart;
  }

  loadOlder(options?: CallOptions): Promise<void> {
    const oldest = () => this.state.replies.find(({ seq }) => seq)?.seq;
    return this.#then(
      () => (this.state.atStart ? [] : [{ beforeSeq: oldest() ?? 0 }]),
      ({ atStart, first }) => {
        this.#low = atStart ? 0 : Math.min(this.#low, first);
        return atStart;
      },
      options,
    );
  }

  loadNewer(options?: CallOptions): Promise<void> {
    return this.#then(
      () => (this.#high === end ? [] : [{ afterSeq: this.#high }]),
      (page) => this.#upTo(page),
      options,
    );
  }

  jumpTo(seq: number, options?: CallOptions): Promise<void> {
    const held = () => this.state.replies.some((reply) => reply.seq === seq);
    return this.#then(
      () => (held() ? [] : [{ beforeSeq: seq + 1 }, { afterSeq: Math.max(seq, this.#root) }]),
      (before, after) => {
        this.#low = before.atStart ? 0 : before.first;
        this.#high = after.atEnd ? end : after.last;
        return before.atStart;
      },
      options,
    );
  }

  #outgoing(message: Outgoing): Outgoing {
    return { ...message, options: { ...message.options, threadSeq: this.#root } };
  }

  sendLocal(message: Outgoing): Message {
    const echo = this.#host.conversation(this.#conversation).sendLocal(this.#outgoing(message));
    this.#put([echo]);
    if (this.#high !== end) void this.#newest(); // where it will stand
    this.#followOwn();
    return echo;
  }

  send(message: Outgoing, options?: CallOptions): Promise<Message> {
    this.#followOwn();
    return this.#host.conversation(this.#conversation).send(this.#outgoing(message), options);
  }

  /** Of those who replied only the first five are known to follow. */
  #followOwn(): void {
    if (this.#threads.mark(this.#conversation, this.#root)?.follow) return;
    this.#threads.setMark(this.#conversation, this.#root, { follow: 1 }).catch(() => undefined);
  }

  read(): void {
    const { root, atEnd } = this.state;
    const replies = root && atEnd && this.#threads.replies(root);
    if (!replies || (this.#threads.mark(this.#conversation, this.#root)?.readSeq ?? 0) >= replies.lastSeq) return;
    this.#threads.setMark(this.#conversation, this.#root, { readSeq: replies.lastSeq, readCount: replies.count }).catch(() => undefined);
  }

  close(): void {
    this.#closed = true;
    for (const off of this.#off.splice(0)) off();
    this.#listeners.clear();
  }
}
