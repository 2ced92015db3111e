// The loaded part of a conversation: a stretch of positions without a gap, which grows at both ends on demand
// and at its newer end by itself while it reaches the newest message.
import { SkeinError } from "./error.js";
import type { Change, ConversationState } from "./reduce/state.js";
import { rangeAt } from "./reduce/spans.js";
import { type Page, type PageSource, defaultLimit, maxLimit, readPage } from "./pages.js";
import type { WindowState } from "./types/conversation.js";
import type { MessageRecord } from "./types/store.js";

const closedState: WindowState = { opened: false, atStart: false, atEnd: false, loading: "none", error: undefined };

const noPage: Page = { records: [], edge: false, error: undefined };

export class Window {
  readonly #source: PageSource;
  readonly #id: string;
  readonly #changed: () => void;
  #state = closedState;
  #low = 1;
  #high = 0;
  /** One load at a time; a second call for the same gets the first one's promise. */
  #load: { readonly goal: string | number; readonly done: Promise<unknown> } | undefined;
  /** Raised by everything that makes a load under way obsolete. */
  #epoch = 0;
  #limit = defaultLimit;

  constructor(source: PageSource, id: string, changed: () => void) {
    this.#source = source;
    this.#id = id;
    this.#changed = changed;
  }

  get state(): WindowState {
    return this.#state;
  }

  /** The positions shown, for what has to stay in memory. */
  get range(): readonly [number, number] | undefined {
    return this.#state.opened ? [this.#low, this.#state.atEnd ? Infinity : this.#high] : undefined;
  }

  /** What is loaded, ascending, but for replies in threads. */
  records(c: ConversationState | undefined): readonly MessageRecord[] {
    const { range } = this;
    if (!c || !range) return [];
    const high = Math.min(range[1], c.live);
    const low = Math.max(range[0], this.#state.atEnd ? newestFrom(c) : 0);
    const shown = [...c.messages.values()].filter(({ seq, delivery }) => seq >= low && seq <= high && !delivery?.threadSeq);
    return shown.sort((a, b) => a.seq - b.seq);
  }

  async open(limit = defaultLimit, signal?: AbortSignal): Promise<void> {
    // One that is about to be open, wherever, is not led elsewhere.
    if (this.#load) await this.#load.done;
    else if (!this.#state.opened) await this.latest(limit, signal);
  }

  async latest(limit = defaultLimit, signal?: AbortSignal): Promise<void> {
    if (!this.#state.atEnd || this.#load) await this.#run("open", () => this.#newest(limit, signal));
  }

  async older(limit = defaultLimit, signal?: AbortSignal): Promise<boolean> {
    if (!this.#state.opened) await this.open(limit, signal);
    if (this.#state.atStart) return false;
    return this.#run("older", async (still) => {
      const page = await this.#page(this.#source, () => this.#low - 1, "down", bounded(limit), signal);
      if (!still()) return false;
      this.#low = page.edge ? 1 : (page.records[0]?.seq ?? this.#low);
      this.#set({ atStart: page.edge, error: page.error });
      return page.records.length > 0;
    });
  }

  async newer(limit = defaultLimit, signal?: AbortSignal): Promise<boolean> {
    if (!this.#state.opened) await this.open(limit, signal);
    if (this.#state.atEnd) return false;
    return this.#run("newer", async (still) => {
      const page = await this.#page(this.#source, () => this.#high + 1, "up", bounded(limit), signal);
      if (!still()) return false;
      this.#high = page.records.at(-1)?.seq ?? this.#high;
      this.#set({ atEnd: page.edge, error: page.error });
      return page.records.length > 0;
    });
  }

  /** The record at `seq`, or the nearest older one, else the nearest newer one. */
  async jump(seq: number, limit = defaultLimit, signal?: AbortSignal): Promise<MessageRecord | undefined> {
    const { range } = this;
    const inside = range && seq >= range[0] && seq <= Math.min(range[1], this.#conversation()?.live ?? 0);
    if (!inside) {
      await this.#run("open", async (still) => {
        const half = Math.max(1, Math.ceil(bounded(limit) / 2));
        const { ledger } = this.#source;
        let [down, up, generation] = [noPage, noPage, NaN];
        while (generation !== ledger.generation) {
          generation = ledger.generation;
          down = await this.#page(this.#source, () => seq, "down", half, signal);
          if (down.error && !down.records.length) throw down.error;
          up = await this.#page(this.#source, () => seq + 1, "up", half, signal);
        }
        if (!still()) return;
        this.#low = down.edge ? 1 : (down.records[0]?.seq ?? seq);
        this.#high = up.records.at(-1)?.seq ?? seq;
        this.#set({ opened: true, atStart: down.edge, atEnd: up.edge, error: down.error ?? up.error });
      }, seq);
    }
    const records = this.records(this.#conversation());
    return records.filter((record) => record.seq <= seq).at(-1) ?? records[0];
  }

  unload(): void {
    this.#epoch++;
    this.#load = undefined;
    this.#state = closedState;
    this.#changed();
  }

  /** What happened to the conversation while it is shown. */
  handle(change: Change): void {
    if (!this.#state.opened) return;
    if (change.type === "conversationRemoved") this.unload();
    else if (change.type === "gap" || change.type === "conversation") this.#closeRanks();
  }

  /** Where ranges were given up, or skipped by a sync, what lies before no longer joins the newest: a window shows no gap. */
  #closeRanks(): void {
    const c = this.#conversation();
    if (!c || !this.#state.atEnd) return;
    const low = newestFrom(c);
    if (low <= this.#low) return;
    this.#epoch++;
    this.#load = undefined;
    this.#low = low;
    this.#set({ atStart: false, loading: "none" });
    if (this.records(c).length < this.#limit) this.older(this.#limit).catch(() => undefined);
  }

  async #newest(limit: number, signal: AbortSignal | undefined): Promise<void> {
    this.#limit = bounded(limit);
    const epoch = this.#epoch;
    const { ledger } = this.#source;
    const offline = { ledger, fetchPage: () => Promise.reject(new SkeinError("unavailable", "the client is not online")) };
    // What the store has shows at once; what it lacks follows.
    const stored = await this.#page(offline, () => Infinity, "down", this.#limit, signal);
    if (epoch !== this.#epoch) return;
    this.#showNewest(stored);
    if (stored.edge || stored.records.length >= this.#limit) return;
    const rest = await this.#page(this.#source, () => this.#low - 1, "down", this.#limit - stored.records.length, signal);
    if (epoch !== this.#epoch) return;
    this.#low = rest.edge ? 1 : (rest.records[0]?.seq ?? this.#low);
    this.#set({ atStart: rest.edge, error: rest.error });
  }

  /** A page of which all is in memory and as new as the state: read again when the state was loaded meanwhile. */
  async #page(source: PageSource, start: () => number, direction: "down" | "up", limit: number, signal: AbortSignal | undefined): Promise<Page> {
    for (;;) {
      const { generation } = source.ledger;
      const page = await readPage(source, this.#id, start(), direction, limit, signal);
      if (generation === source.ledger.generation) return page;
    }
  }

  #showNewest(page: Page): void {
    const live = this.#conversation()?.live ?? 0;
    this.#low = page.edge ? 1 : (page.records[0]?.seq ?? live + 1);
    this.#set({ opened: true, atStart: page.edge, atEnd: true, error: undefined });
  }

  #conversation(): ConversationState | undefined {
    return this.#source.ledger.conversation(this.#id);
  }

  /** Runs a load after the one that is under way. `still` says whether its result is wanted yet. */
  #run<T>(kind: WindowState["loading"], work: (still: () => boolean) => Promise<T>, goal: string | number = kind): Promise<T> {
    if (this.#load?.goal === goal) return this.#load.done as Promise<T>;
    const before = this.#load?.done.catch(() => undefined);
    const start = async (): Promise<T> => {
      await before;
      const epoch = this.#epoch;
      this.#set({ loading: kind });
      try {
        return await this.#source.ledger.pinned(() => work(() => epoch === this.#epoch));
      } finally {
        if (this.#load === load) {
          this.#load = undefined;
          this.#set({ loading: "none" });
          this.#closeRanks();
        }
      }
    };
    const done = start();
    const load = { goal, done };
    this.#load = load;
    return done;
  }

  #set(part: Partial<WindowState>): void {
    this.#state = { ...this.#state, ...part };
    this.#changed();
  }
}

/** Where the stretch begins that reaches the newest applied position. */
function newestFrom(c: ConversationState): number {
  return rangeAt(c.ranges, c.live)?.[0] ?? c.live + 1;
}

function bounded(limit: number): number {
  return Math.min(Math.max(1, Math.floor(limit)), maxLimit);
}
