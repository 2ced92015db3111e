/**
 * The user's own order among their conversations: pinned, muted, archived, in folders, drafts, marked as unread, cleared,
 * and messages deleted for themself. All of it is theirs alone, and the same on all of their devices.
 *
 * @packageDocumentation
 */
import { SkeinError } from "../../error.js";
import { defineModule } from "../../modules.js";
import type { CallOptions, Unsubscribe } from "../../types/client.js";
import type { Conversation } from "../../types/conversation.js";
import type { Message } from "../../types/message.js";
import type { KeyedValue, Module, ModuleHost } from "../../types/module.js";
import { type Hidden, type SeqRange, maxRanges, nothingHidden, pieces, uncovered, withMessages } from "./hidden.js";
import { type Private, contentFields } from "./wire.js";

/** What the user has begun to write. */
export interface Draft {
  /** At most 16,384 bytes of UTF-8. */
  readonly text: string;
  /** The seq of the message that it answers. */
  readonly replyTo?: number | undefined;
  readonly mentions?: readonly string[] | undefined;
}

/** How the user has a conversation. The same object until it changes. */
export interface Preferences {
  readonly pinned: boolean;
  /** Among the pinned ones: the smallest is the topmost. */
  readonly order: number;
  /** It disturbs nobody now. */
  readonly muted: boolean;
  /** Until when, milliseconds since 1970 UTC; undefined = for ever, or not muted. */
  readonly mutedUntil: number | undefined;
  readonly draft: Draft | undefined;
  /** Marked as unread by hand; reading it ends that. */
  readonly markedUnread: boolean;
  /** Out of the list until its next message. */
  readonly hidden: boolean;
  /** Put aside until the user takes it out; new messages do not. */
  readonly archived: boolean;
  /** Ids of the folders that it is in. */
  readonly folders: readonly string[];
}

/** A list of conversations under a name. */
export interface Folder {
  readonly id: string;
  /** 1 to 64 bytes. */
  readonly name: string;
  readonly emoji: string;
}

/** Which conversations to list. */
export interface ListOptions {
  /** Those of a folder alone, by its id; archived ones too. */
  readonly folder?: string | undefined;
  /** The archived ones instead of the others. */
  readonly archived?: boolean | undefined;
}

/** Takes back what was done. */
export type Undo = (options?: CallOptions) => Promise<void>;

/** What `conversations()` puts on a client. A promise resolves when the server has the change; it shows at once. */
export interface ConversationsModule {
  /** What the user has set of a conversation. */
  of(conversation: Conversation | string): Preferences;
  /** The conversations to show: pinned ones first in their order, then the newest; without hidden and archived ones. */
  list(options?: ListOptions): readonly Conversation[];
  /** In their order. The same array until one changes. */
  readonly folders: readonly Folder[];
  /** Calls `listener` after a change of any of it, on whatever device. */
  subscribe(listener: () => void): Unsubscribe;

  /** At the top of the list, or before another pinned one. At most 100 (`too_large`). */
  pin(conversation: Conversation | string, options?: CallOptions & { readonly before?: Conversation | string | undefined }): Promise<void>;
  unpin(conversation: Conversation | string, options?: CallOptions): Promise<void>;
  /** For ever, or until a time (milliseconds since 1970 UTC). */
  mute(conversation: Conversation | string, options?: CallOptions & { readonly until?: number | undefined }): Promise<void>;
  unmute(conversation: Conversation | string, options?: CallOptions): Promise<void>;
  /**
   * Keeps what the user has begun to write; undefined when it was sent or given up. Call it on each key: at most one write
   * a second goes out. Of two devices the draft that was written last wins, also when the other one comes later.
   */
  setDraft(conversation: Conversation | string, draft: Draft | undefined, options?: CallOptions): Promise<void>;
  /** By the conversation's id: all that there are. */
  readonly drafts: ReadonlyMap<string, Draft>;
  /** Calls `listener` when a draft changed, on whatever device. */
  onDraft(listener: (conversation: string, draft: Draft | undefined) => void): Unsubscribe;
  markUnread(conversation: Conversation, options?: CallOptions): Promise<void>;
  /** Reads all of it, and ends what `markUnread` did. */
  markRead(conversation: Conversation, options?: CallOptions): Promise<void>;
  /** Takes it out of the list until its next message. */
  hide(conversation: Conversation, options?: CallOptions): Promise<void>;
  unhide(conversation: Conversation, options?: CallOptions): Promise<void>;
  archive(conversation: Conversation | string, options?: CallOptions): Promise<void>;
  unarchive(conversation: Conversation | string, options?: CallOptions): Promise<void>;

  /** At most 50 (`too_large`). */
  createFolder(folder: { readonly name: string; readonly emoji?: string | undefined }, options?: CallOptions): Promise<Folder>;
  editFolder(id: string, change: { readonly name?: string | undefined; readonly emoji?: string | undefined }, options?: CallOptions): Promise<void>;
  /** The conversations stay. */
  removeFolder(id: string, options?: CallOptions): Promise<void>;
  /** Before another one, or last. */
  moveFolder(id: string, before: string | undefined, options?: CallOptions): Promise<void>;
  /** Puts a conversation into these folders and no other. At most 500 a folder (`too_large`). */
  setFolders(conversation: Conversation | string, ids: readonly string[], options?: CallOptions): Promise<void>;

  /** Everything up to now is gone for the user, on all of their devices; others keep it. Resolves with the way back. */
  clearHistory(conversation: Conversation, options?: CallOptions): Promise<Undo>;
  /** Messages are gone for the user, on all of their devices; others keep them. Unsent ones are discarded. Resolves with the way back. */
  deleteForMe(conversation: Conversation, messages: readonly Message[], options?: CallOptions): Promise<Undo>;
}

const none: readonly never[] = [];
const attempts = 5;
/** Room between two pins, so that another one fits in a thousand times over. */
const step = 2 ** 20;

function idOf(conversation: Conversation | string): string {
  return typeof conversation === "string" ? conversation : conversation.id;
}

function same(a: Preferences, b: Preferences): boolean {
  const folders = a.folders.length === b.folders.length && a.folders.every((id, i) => id === b.folders[i]);
  const draft = a.draft === b.draft || (a.draft?.text === b.draft?.text && a.draft?.replyTo === b.draft?.replyTo && `${a.draft?.mentions}` === `${b.draft?.mentions}`);
  const flags = (["pinned", "order", "muted", "mutedUntil", "markedUnread", "hidden", "archived"] as const).every((key) => a[key] === b[key]);
  return folders && draft && flags;
}

class Own implements ConversationsModule {
  readonly #host: ModuleHost;
  readonly #cache = new Map<string, Preferences>();
  #folders: { readonly of: unknown; readonly list: readonly Folder[] } | undefined;
  /** What is on its way to be hidden, also while it is tried again. */
  readonly #wanted = new Map<string, readonly SeqRange[]>();
  readonly #applying = new Map<string, Promise<void>>();
  /** What of each conversation was hidden last in this tab, and the value's seq. */
  readonly #applied = new Map<string, { readonly seq: number; readonly hidden: Hidden }>();

  constructor(host: ModuleHost) {
    this.#host = host;
    const apply = (key: string): void => {
      if (key.startsWith("hidden/")) this.#apply(key.slice(7)).catch(() => undefined);
    };
    host.onKeyed(({ conversation, key }) => {
      if (conversation !== this.#self) return;
      if (key !== undefined) apply(key);
      else for (const one of this.#values.keys()) apply(one);
    });
    host.ready.then(
      () => [...this.#values.keys()].forEach(apply),
      () => undefined,
    );
  }

  get #self(): string {
    return `~${this.#host.userId}`;
  }

  get #values(): ReadonlyMap<string, KeyedValue> {
    return this.#host.keyed(this.#self);
  }

  #read(key: string): Private | undefined {
    const content = this.#values.get(key)?.content;
    return content && contentFields.read(content).private;
  }

  #set(key: string, value: Omit<Private, "rest">, options?: CallOptions): Promise<void> {
    return this.#host.setKeyed(key, contentFields.write({ private: value }), options);
  }

  #clear(key: string, options?: CallOptions): Promise<void> {
    return this.#values.get(key)?.content ? this.#host.setKeyed(key, undefined, options) : Promise.resolve();
  }

  of(conversation: Conversation | string): Preferences {
    const id = idOf(conversation);
    const { head, readSeq } = this.#host.conversation(id).snapshot;
    const value = (kind: string): Private | undefined => this.#read(`${kind}/${id}`);
    const [pin, mute, unread, hide] = [value("pin")?.pin, value("mute")?.mute, value("unread")?.unread, value("hide")?.hide];
    const until = mute?.untilUs ? Math.floor(mute.untilUs / 1000) : undefined;
    const known = new Set(this.folders.map((folder) => folder.id));
    const next: Preferences = {
      pinned: pin !== undefined,
      order: pin?.order ?? 0,
      muted: mute !== undefined && (until === undefined || until > this.#host.now()),
      mutedUntil: until,
      draft: this.#draft(id),
      markedUnread: unread !== undefined && readSeq <= unread.readSeq,
      hidden: hide !== undefined && head.ord <= hide.ord,
      archived: value("archive")?.archive !== undefined,
      folders: value("in")?.folders?.ids.filter((folder) => known.has(folder)) ?? none,
    };
    const before = this.#cache.get(id);
    if (before && same(before, next)) return before;
    this.#cache.set(id, next);
    return next;
  }

  list({ folder, archived = false }: ListOptions = {}): readonly Conversation[] {
    const all = new Map(this.#host.conversations().map((conversation) => [conversation.id, conversation]));
    for (const key of this.#values.keys()) {
      const [kind, id] = [key.slice(0, key.indexOf("/")), key.slice(key.indexOf("/") + 1)];
      if ((kind === "pin" || kind === "draft") && !all.has(id) && this.#values.get(key)?.content) {
        const { pinned, draft } = this.of(id);
        if (pinned || draft) all.set(id, this.#host.conversation(id));
      }
    }
    const shown = [...all.values()].flatMap((conversation) => {
      const own = this.of(conversation);
      const wanted = folder === undefined ? own.archived === archived : own.folders.includes(folder);
      return wanted && !own.hidden ? [{ conversation, own }] : [];
    });
    const rank = (own: Preferences): number => (own.pinned && !archived ? 0 : 1);
    return shown
      .sort((a, b) => {
        if (rank(a.own) !== rank(b.own)) return rank(a.own) - rank(b.own);
        const order = rank(a.own) ? b.conversation.snapshot.activity - a.conversation.snapshot.activity : a.own.order - b.own.order;
        return order || (a.conversation.id < b.conversation.id ? -1 : 1);
      })
      .map(({ conversation }) => conversation);
  }

  get folders(): readonly Folder[] {
    const of = this.#values;
    if (this.#folders?.of !== of) {
      const list = [...of.keys()].flatMap((key) => {
        const folder = key.startsWith("folder/") ? this.#read(key)?.folder : undefined;
        return folder ? [{ id: key.slice(7), name: folder.name, emoji: folder.emoji, order: folder.order }] : [];
      });
      this.#folders = { of, list: list.sort((a, b) => a.order - b.order || (a.id < b.id ? -1 : 1)) };
    }
    return this.#folders.list;
  }

  subscribe(listener: () => void): Unsubscribe {
    const offs = [
      this.#host.onKeyed(({ conversation }) => {
        if (conversation === this.#self) listener();
      }),
      this.#host.onList(listener),
    ];
    return () => offs.forEach((off) => off());
  }

  async pin(conversation: Conversation | string, { before, signal }: CallOptions & { readonly before?: Conversation | string | undefined } = {}): Promise<void> {
    const id = idOf(conversation);
    const pinned = [...this.#values.keys()]
      .flatMap((key) => {
        const pin = key.startsWith("pin/") ? this.#read(key)?.pin : undefined;
        return pin && key !== `pin/${id}` ? [{ key, order: pin.order }] : [];
      })
      .sort((a, b) => a.order - b.order || (a.key < b.key ? -1 : 1));
    const at = before === undefined ? 0 : pinned.findIndex(({ key }) => key === `pin/${idOf(before)}`);
    const place = at < 0 ? pinned.length : at;
    const low = pinned[place - 1]?.order;
    const high = pinned[place]?.order;
    if (low !== undefined && high !== undefined && high - low < 2) {
      // No room between them: all get new places.
      const keys = pinned.map(({ key }) => key);
      keys.splice(place, 0, `pin/${id}`);
      await Promise.all(keys.map((key, i) => this.#set(key, { pin: { order: i * step } }, { signal })));
      return;
    }
    let order = 0;
    if (low !== undefined && high !== undefined) order = Math.floor((low + high) / 2);
    else if (high !== undefined) order = high - step;
    else if (low !== undefined) order = low + step;
    await this.#set(`pin/${id}`, { pin: { order } }, { signal });
  }

  unpin(conversation: Conversation | string, options?: CallOptions): Promise<void> {
    return this.#clear(`pin/${idOf(conversation)}`, options);
  }

  mute(conversation: Conversation | string, { until, signal }: CallOptions & { readonly until?: number | undefined } = {}): Promise<void> {
    return this.#set(`mute/${idOf(conversation)}`, { mute: { untilUs: until === undefined ? 0 : Math.floor(until) * 1000 } }, { signal });
  }

  unmute(conversation: Conversation | string, options?: CallOptions): Promise<void> {
    return this.#clear(`mute/${idOf(conversation)}`, options);
  }

  async setDraft(conversation: Conversation | string, draft: Draft | undefined, options?: CallOptions): Promise<void> {
    const key = `draft/${idOf(conversation)}`;
    const before = this.#read(key)?.draft;
    if (!draft && !before?.text) return;
    const timeUs = Math.max(Math.floor(this.#host.now()) * 1000, (before?.timeUs ?? 0) + 1);
    const { text = "", replyTo = 0, mentions = none } = draft ?? {};
    try {
      await this.#set(key, { draft: { timeUs, text, replyToSeq: replyTo, mentions } }, options);
    } catch (error) {
      // Another device has a newer one, which shows instead.
      if (!(error instanceof SkeinError && error.code === "failed_precondition")) throw error;
    }
  }

  #draft(id: string): Draft | undefined {
    const draft = this.#read(`draft/${id}`)?.draft;
    return draft?.text ? { text: draft.text, replyTo: draft.replyToSeq || undefined, mentions: draft.mentions } : undefined;
  }

  get drafts(): ReadonlyMap<string, Draft> {
    const drafts = new Map<string, Draft>();
    for (const key of this.#values.keys()) {
      const draft = key.startsWith("draft/") && this.#draft(key.slice(6));
      if (draft) drafts.set(key.slice(6), draft);
    }
    return drafts;
  }

  onDraft(listener: (conversation: string, draft: Draft | undefined) => void): Unsubscribe {
    return this.#host.onKeyed(({ conversation, key }) => {
      if (conversation !== this.#self) return;
      for (const one of key === undefined ? this.#values.keys() : [key]) if (one.startsWith("draft/")) listener(one.slice(6), this.#draft(one.slice(6)));
    });
  }

  markUnread(conversation: Conversation, options?: CallOptions): Promise<void> {
    return this.#set(`unread/${conversation.id}`, { unread: { readSeq: conversation.snapshot.readSeq } }, options);
  }

  async markRead(conversation: Conversation, options?: CallOptions): Promise<void> {
    conversation.read();
    await this.#clear(`unread/${conversation.id}`, options);
  }

  hide(conversation: Conversation, options?: CallOptions): Promise<void> {
    return this.#set(`hide/${conversation.id}`, { hide: { ord: conversation.head.ord } }, options);
  }

  unhide(conversation: Conversation, options?: CallOptions): Promise<void> {
    return this.#clear(`hide/${conversation.id}`, options);
  }

  archive(conversation: Conversation | string, options?: CallOptions): Promise<void> {
    return this.#set(`archive/${idOf(conversation)}`, { archive: { timeUs: Math.floor(this.#host.now()) * 1000 } }, options);
  }

  unarchive(conversation: Conversation | string, options?: CallOptions): Promise<void> {
    return this.#clear(`archive/${idOf(conversation)}`, options);
  }

  async createFolder({ name, emoji = "" }: { readonly name: string; readonly emoji?: string | undefined }, options?: CallOptions): Promise<Folder> {
    const id = [...this.#host.newClientId()].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    const last = this.#orders().at(-1);
    await this.#set(`folder/${id}`, { folder: { name, emoji, order: last === undefined ? 0 : last.order + step } }, options);
    return { id, name, emoji };
  }

  #orders(): readonly { readonly id: string; readonly order: number }[] {
    return this.folders.map(({ id }) => ({ id, order: this.#read(`folder/${id}`)?.folder?.order ?? 0 }));
  }

  #folder(id: string): NonNullable<Private["folder"]> {
    const folder = this.#read(`folder/${id}`)?.folder;
    if (!folder) throw new SkeinError("not_found", "there is no such folder");
    return folder;
  }

  async editFolder(id: string, { name, emoji }: { readonly name?: string | undefined; readonly emoji?: string | undefined }, options?: CallOptions): Promise<void> {
    const folder = this.#folder(id);
    await this.#set(`folder/${id}`, { folder: { ...folder, name: name ?? folder.name, emoji: emoji ?? folder.emoji } }, options);
  }

  async removeFolder(id: string, options?: CallOptions): Promise<void> {
    this.#folder(id);
    await this.#clear(`folder/${id}`, options);
  }

  async moveFolder(id: string, before: string | undefined, options?: CallOptions): Promise<void> {
    this.#folder(id);
    const ids = this.folders.map((folder) => folder.id).filter((other) => other !== id);
    const at = before === undefined ? -1 : ids.indexOf(before);
    ids.splice(at < 0 ? ids.length : at, 0, id);
    const moved = ids.map((one, i) => ({ one, folder: this.#folder(one), order: i * step })).filter(({ folder, order }) => folder.order !== order);
    await Promise.all(moved.map(({ one, folder, order }) => this.#set(`folder/${one}`, { folder: { ...folder, order } }, options)));
  }

  setFolders(conversation: Conversation | string, ids: readonly string[], options?: CallOptions): Promise<void> {
    const key = `in/${idOf(conversation)}`;
    return ids.length ? this.#set(key, { folders: { ids: [...new Set(ids)] } }, options) : this.#clear(key, options);
  }

  async clearHistory(conversation: Conversation, options?: CallOptions): Promise<Undo> {
    const upToSeq = conversation.head.seq;
    const undo = await this.#hide(conversation.id, () => ({ upToSeq, ranges: none }), options);
    await this.markRead(conversation, options);
    return undo;
  }

  async deleteForMe(conversation: Conversation, messages: readonly Message[], options?: CallOptions): Promise<Undo> {
    const foreign = messages.find((message) => message.conversation !== conversation.id);
    if (foreign) throw new SkeinError("invalid_argument", "the message is of another conversation");
    await Promise.all(messages.filter(({ seq }) => seq === undefined).map((message) => conversation.discard(message, options)));
    const seqs = messages.flatMap(({ seq }) => seq ?? []);
    if (!seqs.length) return () => Promise.resolve();
    return this.#hide(conversation.id, (now) => withMessages(now, seqs), options);
  }

  /** Changes what is hidden of a conversation. */
  async #hide(id: string, change: (now: Hidden) => Hidden, options: CallOptions | undefined): Promise<Undo> {
    const before = this.#hidden(id);
    this.#wanted.set(id, pieces(change(before)));
    try {
      await this.#change(id, change, options);
    } finally {
      this.#wanted.delete(id);
      await this.#apply(id, true);
    }
    return async (again) => void (await this.#hide(id, () => before, again));
  }

  /** Sets the value, again when another device was faster. */
  async #change(id: string, change: (now: Hidden) => Hidden, options: CallOptions | undefined): Promise<void> {
    const key = `hidden/${id}`;
    for (let attempt = 1; ; attempt++) {
      const next = change(this.#hidden(id));
      if (next.ranges.length > maxRanges) {
        throw new SkeinError("too_large", `more than ${maxRanges} pieces are hidden`, { hint: "clear the history instead" });
      }
      const value = this.#values.get(key);
      const baseSeq = value?.seq || (this.#read(key)?.hidden?.baseSeq ?? 0);
      try {
        await this.#set(key, { hidden: { baseSeq, upToSeq: next.upToSeq, ranges: [...next.ranges] } }, options);
        return;
      } catch (error) {
        if (attempt === attempts || !(error instanceof SkeinError && error.code === "failed_precondition")) throw error;
        await this.#changed(key, value?.seq);
      }
    }
  }

  /** Waits until the key has another value than the one that was refused. */
  #changed(key: string, seq: number | undefined): Promise<void> {
    return new Promise((resolve) => {
      const look = (): boolean => {
        const now = this.#values.get(key)?.seq;
        if (now === seq || now === 0) return false;
        off();
        resolve();
        return true;
      };
      const off = this.#host.onKeyed(() => void look());
      look();
    });
  }

  #hidden(id: string): Hidden {
    return this.#read(`hidden/${id}`)?.hidden ?? nothingHidden;
  }

  /** Changes of what is hidden of a conversation, one after the other. */
  #apply(id: string, again = false): Promise<void> {
    const turn = (this.#applying.get(id) ?? Promise.resolve()).then(() => this.#applyNow(id, again));
    this.#applying.set(
      id,
      turn.catch(() => undefined),
    );
    return turn;
  }

  /** What was hidden here or on another device goes; what is not any more can come back. */
  async #applyNow(id: string, again: boolean): Promise<void> {
    const seq = this.#values.get(`hidden/${id}`)?.seq ?? -1;
    const before = this.#applied.get(id);
    if (seq > 0 && before?.seq === seq && !again) return;
    const hidden = this.#hidden(id);
    // As long as the server has not heard of it, it withholds what it did: nothing comes back by asking.
    const stays = [...(seq === 0 && before ? pieces(before.hidden) : none), ...(this.#wanted.get(id) ?? none)];
    const all = stays.length ? { upToSeq: 0, ranges: [...stays, ...pieces(hidden)] } : hidden;
    this.#applied.set(id, { seq, hidden: all });
    const back = before && uncovered(before.hidden, all);
    if (back) await this.#host.forget(id, back + 1);
    for (const { fromSeq, toSeq } of pieces(hidden)) await this.#host.withhold(id, fromSeq, toSeq);
  }
}

/** The module: `createClient({ …, modules: { conversations: conversations() } })`. */
export const conversations = (): Module<ConversationsModule> => defineModule((host) => new Own(host));
