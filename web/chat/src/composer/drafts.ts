// What was typed and not sent, kept per conversation in this browser and, by
// shareDrafts, on the user's other devices. Typing writes at most once in a
// while; leaving a conversation or the page writes at once.

/** Where drafts are kept: localStorage in the app, a Map in tests. */
export interface DraftStorage {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

/** A draft: the text, and what it answers. */
export interface Draft {
  readonly text: string;
  readonly replyTo?: number | undefined;
}

/** The drafts of one user. A storage that refuses (private mode, full) costs their survival of a reload, nothing more. */
export class Drafts {
  readonly #storage: DraftStorage | undefined;
  readonly #prefix: string;
  readonly #held = new Map<string, Draft | undefined>();
  readonly #listeners = new Set<(conversation: string, from: "here" | "elsewhere") => void>();

  constructor(storage: DraftStorage | undefined, appId: string, userId: string) {
    this.#storage = storage;
    this.#prefix = `skein.web.draft/${appId}/${userId}/`;
  }

  get(conversation: string): Draft | undefined {
    if (this.#held.has(conversation)) return this.#held.get(conversation);
    const draft = this.#read(conversation);
    this.#held.set(conversation, draft);
    return draft;
  }

  /** What the user typed here. */
  set(conversation: string, draft: Draft | undefined): void {
    this.#put(conversation, draft, "here");
  }

  /** What the user typed on another device. */
  take(conversation: string, draft: Draft | undefined): void {
    this.#put(conversation, draft, "elsewhere");
  }

  #put(conversation: string, draft: Draft | undefined, from: "here" | "elsewhere"): void {
    const kept = draft && (draft.text.trim() !== "" || draft.replyTo !== undefined) ? draft : undefined;
    const old = this.get(conversation);
    if (old?.text === kept?.text && old?.replyTo === kept?.replyTo) return;
    this.#held.set(conversation, kept);
    try {
      if (kept) this.#storage?.setItem(this.#prefix + conversation, JSON.stringify(kept));
      else this.#storage?.removeItem(this.#prefix + conversation);
    } catch {
      // Held in memory all the same.
    }
    for (const listener of this.#listeners) listener(conversation, from);
  }

  subscribe(listener: (conversation: string, from: "here" | "elsewhere") => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #read(conversation: string): Draft | undefined {
    try {
      const raw: unknown = JSON.parse(this.#storage?.getItem(this.#prefix + conversation) ?? "null");
      if (typeof raw !== "object" || raw === null || !("text" in raw) || typeof raw.text !== "string") return undefined;
      const replyTo = "replyTo" in raw && typeof raw.replyTo === "number" ? raw.replyTo : undefined;
      return { text: raw.text, replyTo };
    } catch {
      return undefined;
    }
  }
}
