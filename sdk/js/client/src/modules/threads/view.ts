// An open thread: a page of replies from the server, kept up to date by the client's events.
import { SkeinError } from "../../error.js";
import type { CallOptions, ModuleHost, Unsubscribe } from "../../module.js";
import type { Message, Outgoing } from "../../types/message.js";
import type { ThreadState, ThreadView, ThreadsHost } from "./index.js";
import { calls } from "./wire.js";

const pageOfReplies = 50;

export class View implements ThreadView {
  state: ThreadState = { root: undefined, replies: [], atStart: false, loading: true, error: undefined };
  readonly #host: ModuleHost;
  readonly #threads: ThreadsHost;
  readonly #conversation: string;
  readonly #root: number;
  readonly #listeners = new Set<() => void>();
  readonly #held = new Map<string, Message>();
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
        if (state === "online" && !this.state.loading) void this.#load(0); // what changed while it was away
      }),
    ];
    void this.#load(0);
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
    const last = Number.MAX_SAFE_INTEGER;
    const replies = [...this.#held.values()].sort((a, b) => (a.seq ?? last) - (b.seq ?? last) || a.time - b.time);
    this.state = { ...this.state, replies, ...part };
    for (const listener of [...this.#listeners]) listener();
  }

  async #load(before: number, signal?: AbortSignal): Promise<void> {
    this.#show({ loading: true, error: undefined });
    try {
      const conversation = this.#conversation;
      const { root, items, atStart, asOfSeq, incarnation } = await this.#host.call(
        calls.ListThread,
        { conversation, rootSeq: this.#root, beforeSeq: before, limit: pageOfReplies },
        { signal },
      );
      const found = await this.#host.take({ conversation, asOf: asOfSeq, incarnation, items: root ? [root, ...items] : items });
      this.#put(found);
      this.#show({ loading: false, atStart: before || !this.state.atStart ? atStart : this.state.atStart });
    } catch (error) {
      this.#show({ loading: false, error: error instanceof SkeinError ? error : new SkeinError("internal", "the thread could not be read") });
    }
  }

  async loadOlder({ signal }: CallOptions = {}): Promise<void> {
    const oldest = this.state.replies.find(({ seq }) => seq)?.seq;
    if (this.state.loading || this.state.atStart || !oldest) return;
    await this.#load(oldest, signal);
  }

  #outgoing(message: Outgoing): Outgoing {
    return { ...message, options: { ...message.options, threadSeq: this.#root } };
  }

  sendLocal(message: Outgoing): Message {
    const echo = this.#host.conversation(this.#conversation).sendLocal(this.#outgoing(message));
    this.#put([echo]);
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
    const { root } = this.state;
    const replies = root && this.#threads.replies(root);
    if (!replies || (this.#threads.mark(this.#conversation, this.#root)?.readSeq ?? 0) >= replies.lastSeq) return;
    this.#threads.setMark(this.#conversation, this.#root, { readSeq: replies.lastSeq, readCount: replies.count }).catch(() => undefined);
  }

  close(): void {
    this.#closed = true;
    for (const off of this.#off.splice(0)) off();
    this.#listeners.clear();
  }
}
