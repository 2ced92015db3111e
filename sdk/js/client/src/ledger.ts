// The state, its store, and what keeps the two together. Events are reduced in the order in which they come;
// one that needs messages from the store waits for them, and what comes after it waits too. What was reduced
// is told at once and written soon after: everything that gathers while a write is under way goes with the next.
import { asSkeinError } from "./abort.js";
import type { SkeinError } from "./error.js";
import { type Event, needsOf, reduce } from "./reduce/reduce.js";
import { Items } from "./reduce/items.js";
import { type Change, type ConversationState, type State, newDirty, newState, putRecord, takeBatch } from "./reduce/state.js";
import type { Clock } from "./types/environment.js";
import type { MessageRecord, PageQuery, Partition, Removal, StoreBatch, StoredState } from "./types/store.js";

export interface LedgerHooks {
  /** Something changed in memory. */
  changed(changes: readonly Change[]): void;
  /**
   * A batch is stored, with the changes that it made; or the store refused it, and it will be tried again. `followed`:
   * another tab led when it was made, so that it holds nothing but outbox items.
   */
  written(batch: StoreBatch, changes: readonly Change[], followed: boolean): void;
  /** The store refuses writes. Told once, until it takes one again. */
  failed(error: SkeinError): void;
  /** The positions of a conversation that are shown and have to stay in memory. */
  shown(conversation: string): readonly [from: number, to: number] | undefined;
}

const retryStoreMs = 2_000;

export class Ledger {
  readonly state: State;
  deviceId = "";
  /** Another tab writes what comes from the server; this one only what its user puts into the outbox. */
  follower = false;
  readonly partition: Partition;
  readonly #clock: Clock;
  readonly #hooks: LedgerHooks;
  #queue: Promise<void> = Promise.resolve();
  #queued = 0;
  /** Changes since the last batch was taken. */
  #changes: Change[] = [];
  #writing: Promise<void> | undefined;
  #scheduled = false;
  #broken = false;
  #generation = 0;
  /** Of the newest batch that the state contains. */
  #revision = 0;
  /** Reads under way: as long as there is one, nothing leaves the memory. */
  #pins = 0;
  /** What was removed meanwhile, so that a read that began before does not bring it back. */
  #removed: Removal[] = [];
  #closed = false;
  #abandoned = false;

  constructor(user: string, partition: Partition, clock: Clock, hooks: LedgerHooks) {
    this.state = newState(user);
    this.partition = partition;
    this.#clock = clock;
    this.#hooks = hooks;
  }

  /** Differs after each `load`: whoever was reading then has to begin again. */
  get generation(): number {
    return this.#generation;
  }

  /** Takes over what the store has: at the start, and when another tab may have written. */
  async load(): Promise<StoredState> {
    await this.stored();
    const { state } = this;
    const earlier = new Set(state.outbox.all().map((item) => item.id));
    const stored = await this.partition.load();
    const known = new Set(stored.conversations.map((record) => record.id));
    for (const id of [...state.conversations.keys()]) if (!known.has(id)) state.conversations.delete(id);
    for (const record of stored.conversations) putRecord(state, record);
    // What the user did meanwhile may have come too late for what was read.
    const fresh = state.outbox.all().filter((item) => !earlier.has(item.id));
    const freshIds = new Set(fresh.map((item) => item.id));
    state.outbox = new Items([...stored.outbox.filter((item) => !freshIds.has(item.id)), ...fresh]);
    state.cursor = stored.meta?.cursor ?? state.cursor;
    state.incarnation = stored.meta?.incarnation ?? "";
    this.deviceId = stored.meta?.deviceId ?? this.deviceId;
    this.#revision = stored.meta?.revision ?? 0;
    state.holes.clear();
    // What was read before is as old as what it was read from; what is shown is read again by whoever called.
    this.#generation++;
    for (const c of state.conversations.values()) {
      const shown = this.#hooks.shown(c.id);
      for (const seq of c.messages.keys()) if (!shown || seq < shown[0] || seq > shown[1]) c.messages.delete(seq);
    }
    return stored;
  }

  /** Reduces an event. Done at once when nothing has to be read; else when it was. */
  dispatch(event: Event): Promise<void> {
    if (this.#queued === 0 && needsOf(this.state, event).length === 0) {
      this.reduceNow(event);
      return Promise.resolve();
    }
    this.#queued++;
    const done = this.#queue.then(async () => {
      try {
        await this.pinned(async () => {
          for (const need of needsOf(this.state, event)) {
            if (need.range) {
              const [from, to] = need.range;
              await this.#bring({ conversation: need.conversation, from: to, until: from, limit: need.nearest ? 1 : Infinity });
            } else await this.bringAt(need.conversation, need.seqs);
          }
          this.reduceNow(event);
        });
      } finally {
        this.#queued--;
      }
    });
    this.#queue = done.catch(() => undefined);
    return done;
  }

  /** Reduces an event of the user's own: it looks at nothing but the outbox. */
  reduceNow(event: Event): readonly Change[] {
    const { removed } = this.state.dirty;
    const before = removed.length;
    const changes = reduce(this.state, event);
    if (this.#pins > 0) this.#removed.push(...removed.slice(before));
    this.#changes.push(...changes);
    this.#schedule();
    if (changes.length) this.#hooks.changed(changes);
    return changes;
  }

  /**
   * Changes the state by other means than the reducer: another tab has reduced and stored it. What was read from
   * the store may be newer: then only what happened is told.
   */
  amend(revision: number, removed: readonly Removal[], changes: readonly Change[], change: (state: State) => void): void {
    if (revision > this.#revision) {
      this.#revision = revision;
      if (this.#pins > 0) this.#removed.push(...removed);
      change(this.state);
    }
    this.#hooks.changed(changes);
    this.#evict();
  }

  /** Resolves when all that was reduced so far is stored, or was refused. */
  async stored(): Promise<void> {
    if (this.#writing) await this.#writing;
    if (this.#pending()) await this.#write();
  }

  #pending(): boolean {
    const { dirty } = this.state;
    if (this.#abandoned) return false;
    if (dirty.meta || dirty.removed.length) return true;
    return [dirty.conversations, dirty.dropped, dirty.messages, dirty.outbox, dirty.outboxDone].some((set) => set.size > 0);
  }

  #schedule(): void {
    if (this.#scheduled || this.#writing || this.#broken || this.#closed) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      if (!this.#writing && !this.#closed) void this.#write();
    });
  }

  #write(): Promise<void> {
    this.#writing ??= this.#writeBatch().finally(() => {
      this.#writing = undefined;
      if (this.#pending()) this.#schedule();
    });
    return this.#writing;
  }

  async #writeBatch(): Promise<void> {
    const { dirty } = this.state;
    const changes = this.#changes;
    this.#changes = [];
    const all = takeBatch(this.state, this.deviceId);
    if (!all || this.#abandoned) return;
    const { cursor, incarnation } = this.state;
    const meta = { deviceId: this.deviceId, cursor, incarnation, revision: this.#revision + 1 };
    const { follower } = this;
    const batch: StoreBatch = follower ? { outbox: all.outbox } : { ...all, meta };
    if (!follower) this.#revision++;
    try {
      await this.partition.commit(batch);
      this.#broken = false;
    } catch (error) {
      this.#again(dirty);
      if (!this.#broken) this.#hooks.failed(asSkeinError(error, "storage", "the local store refused a write"));
      this.#broken = true;
      this.#clock.after(retryStoreMs, () => {
        if (!this.#closed) void this.#write();
      });
    }
    this.#hooks.written(batch, changes, follower);
    this.#evict();
  }

  /** What could not be written has to be, before anything that comes later. */
  #again(dirty: State["dirty"]): void {
    const now = this.state.dirty;
    const merged = newDirty();
    merged.meta = dirty.meta || now.meta;
    merged.removed = [...dirty.removed, ...now.removed];
    for (const name of ["conversations", "dropped", "outbox", "outboxDone"] as const) {
      for (const id of [...dirty[name], ...now[name]]) merged[name].add(id);
    }
    for (const { id } of this.state.outbox.all()) merged.outboxDone.delete(id);
    for (const source of [dirty, now]) {
      for (const [conversation, bySeq] of source.messages) {
        const all = merged.messages.get(conversation) ?? new Map<number, MessageRecord>();
        merged.messages.set(conversation, all);
        // A message that was removed meanwhile is no longer in memory.
        const held = this.state.conversations.get(conversation)?.messages;
        for (const [seq, record] of bySeq) if (held?.has(seq)) all.set(seq, record);
      }
    }
    this.state.dirty = merged;
  }

  /** Runs `work`, during which nothing leaves the memory: what it reads stays as new as what it is told. */
  async pinned<T>(work: () => Promise<T>): Promise<T> {
    this.#pins++;
    try {
      return await work();
    } finally {
      if (--this.#pins === 0) this.#removed = [];
      this.#evict();
    }
  }

  /** Messages that no window shows leave the memory once they are stored. */
  #evict(): void {
    if (this.#pins > 0 || this.#broken) return;
    for (const c of this.state.conversations.values()) {
      if (c.messages.size === 0) continue;
      const unwritten = this.state.dirty.messages.get(c.id);
      const shown = this.#hooks.shown(c.id);
      if (!shown && !unwritten) {
        c.messages.clear();
        continue;
      }
      for (const seq of c.messages.keys()) {
        const needed = unwritten?.has(seq) || (shown && seq >= shown[0] && seq <= shown[1]);
        if (!needed) c.messages.delete(seq);
      }
    }
  }

  /** Reads a page, ascending. What is in memory is newer than what the store says. */
  read(query: PageQuery): Promise<readonly MessageRecord[]> {
    return this.pinned(() => this.#bring(query));
  }

  /** Reads a page as the store has it, which stays out of memory. */
  async scan(query: PageQuery): Promise<readonly MessageRecord[]> {
    await this.stored();
    return this.partition.messages(query);
  }

  async #bring(query: PageQuery): Promise<readonly MessageRecord[]> {
    await this.stored();
    return this.#merge(query.conversation, await this.partition.messages(query));
  }

  /** Reads single messages. */
  async bringAt(conversation: string, seqs: readonly number[]): Promise<readonly MessageRecord[]> {
    return this.pinned(async () => {
      await this.stored();
      return this.#merge(conversation, await this.partition.messagesAt(conversation, seqs));
    });
  }

  #merge(conversation: string, records: readonly MessageRecord[]): readonly MessageRecord[] {
    const c = this.state.conversations.get(conversation);
    if (!c) return records;
    const gone = this.#removed.filter((removal) => removal.conversation === conversation);
    return records.flatMap((record) => {
      const held = c.messages.get(record.seq);
      if (held) return held;
      if (gone.some(({ from, to }) => record.seq >= from && record.seq <= to)) return [];
      c.messages.set(record.seq, record);
      return record;
    });
  }

  conversation(id: string): ConversationState | undefined {
    return this.state.conversations.get(id);
  }

  /** Writes nothing any more: what is here is not to be kept. */
  abandon(): void {
    this.#abandoned = true;
  }

  async erase(): Promise<void> {
    this.#abandoned = true;
    await this.#writing?.catch(() => undefined);
    await this.partition.erase();
  }

  /** Writes what is left, and lets the store go. */
  async close(): Promise<void> {
    if (this.#closed) return;
    await this.stored();
    this.#closed = true;
    await this.partition.close();
  }
}
