/**
 * The board of a group: announcements, attributes, counters. `createClient({ …, modules: { board: board() } })` gives
 * `client.board`.
 *
 * @packageDocumentation
 */
import { type CallOptions, type Conversation, type Module, type ModuleHost, type Unsubscribe, defineModule } from "../../module.js";
import { calls, contentFields } from "./wire.js";
import type { Announcement as WireAnnouncement, GroupAttribute, GroupCounter } from "./wire.js";

export interface Announcement {
  readonly id: string;
  readonly title: string;
  /** With the Markdown subset of messages. */
  readonly text: string;
  /** The newest pinned one is shown to whoever opens the group. */
  readonly pinned: boolean;
  readonly creator: string;
  readonly editor: string;
  /** Milliseconds since 1970 UTC. */
  readonly created: number;
  readonly updated: number;
}

export interface NewAnnouncement {
  /** 1 to 128 bytes. */
  readonly title: string;
  /** At most 4,096 bytes. */
  readonly text: string;
  readonly pinned?: boolean | undefined;
}

export interface Attribute {
  readonly name: string;
  readonly value: string;
  /** 1 when it was made, raised by each change. */
  readonly version: number;
  /** Empty = the app's back end. */
  readonly editor: string;
  readonly updated: number;
}

export interface Counter {
  readonly name: string;
  readonly value: number;
  readonly editor: string;
  readonly updated: number;
}

/** What `client.board` offers. Lists are what this device knows; `load` asks for the rest. */
export interface Board {
  /**
   * Asks the server for all of a group's board. Needed once for each group that is shown: who joins hears of what changes
   * from then on, and not of what was there.
   */
  load(conversation: Conversation, options?: CallOptions): Promise<void>;
  /** Pinned ones first, then the newest. */
  announcements(conversation: Conversation): readonly Announcement[];
  /** By name. */
  attributes(conversation: Conversation): readonly Attribute[];
  /** By name. */
  counters(conversation: Conversation): readonly Counter[];
  /** The board of a conversation changed, or was loaded. */
  onChange(listener: (conversation: string) => void): Unsubscribe;

  /** Grant `announce`, as for the next two. */
  announce(conversation: Conversation, announcement: NewAnnouncement, options?: CallOptions): Promise<Announcement>;
  updateAnnouncement(conversation: Conversation, id: string, announcement: NewAnnouncement, options?: CallOptions): Promise<Announcement>;
  deleteAnnouncement(conversation: Conversation, id: string, options?: CallOptions): Promise<void>;
  /** Sets an attribute; with `version` only if it still has that one, 0 = if there is none. Grant `attributes`, as for the next three. */
  setAttribute(conversation: Conversation, name: string, value: string, options?: CallOptions & { readonly version?: number | undefined }): Promise<Attribute | undefined>;
  removeAttribute(conversation: Conversation, name: string, options?: CallOptions & { readonly version?: number | undefined }): Promise<void>;
  /** Adds to a counter, which begins at 0, and resolves with its value. Exact, however many add at once. Values past 2^53 reject. */
  increment(
    conversation: Conversation,
    name: string,
    delta: number,
    options?: CallOptions & { readonly min?: number | undefined; readonly max?: number | undefined },
  ): Promise<number>;
  removeCounter(conversation: Conversation, name: string, options?: CallOptions): Promise<void>;
}

const millis = (us: number): number => Math.floor(us / 1000);

type Row = WireAnnouncement | GroupAttribute | GroupCounter;
interface Shelf<T> {
  readonly field: "announcement" | "attribute" | "counter";
  readonly name: (row: Row) => string;
  readonly show: (row: Row) => T;
  readonly order: (a: T, b: T) => number;
}

const byName = (a: { readonly name: string }, b: { readonly name: string }): number => (a.name < b.name ? -1 : 1);
const shelves = {
  "announcement/": {
    field: "announcement",
    name: (row) => (row as WireAnnouncement).id,
    show: (row): Announcement => {
      const { id, title, text, pinned, creator, editor, createdUs, updatedUs } = row as WireAnnouncement;
      return { id, title, text, pinned, creator, editor, created: millis(createdUs), updated: millis(updatedUs) };
    },
    order: (a, b) => Number(b.pinned) - Number(a.pinned) || b.updated - a.updated || (a.id < b.id ? -1 : 1),
  } satisfies Shelf<Announcement>,
  "attr/": {
    field: "attribute",
    name: (row) => (row as GroupAttribute).name,
    show: (row): Attribute => {
      const { name, value, version, editor, updatedUs } = row as GroupAttribute;
      return { name, value, version, editor, updated: millis(updatedUs) };
    },
    order: byName,
  } satisfies Shelf<Attribute>,
  "counter/": {
    field: "counter",
    name: (row) => (row as GroupCounter).name,
    show: (row): Counter => {
      const { name, value, editor, updatedUs } = row as GroupCounter;
      return { name, value, editor, updated: millis(updatedUs) };
    },
    order: byName,
  } satisfies Shelf<Counter>,
} as const;
type Prefix = keyof typeof shelves;

/** Makes `client.board`. */
export const board = (): Module<Board> => defineModule(makeBoard);

function makeBoard(host: ModuleHost): Board {
  /** What the server has answered, by conversation and shelf. */
  const loaded = new Map<string, readonly Row[]>();
  const memo = new Map<string, { of: unknown; rows: readonly Row[] | undefined; list: readonly unknown[] }>();
  const listeners = new Set<(conversation: string) => void>();
  const tell = (conversation: string): void => {
    for (const listener of [...listeners]) listener(conversation);
  };
  host.onKeyed(({ conversation, key }) => {
    if (key === undefined || Object.keys(shelves).some((prefix) => key.startsWith(prefix))) tell(conversation);
  });

  /** What was answered and what was heard, the newer of each. */
  function list<T>({ id }: Conversation, prefix: Prefix, { field, name, show, order }: Shelf<T>): readonly T[] {
    const of = host.userId ? host.keyed(id) : undefined;
    const rows = loaded.get(prefix + id);
    const old = memo.get(prefix + id);
    if (old && old.of === of && old.rows === rows) return old.list as readonly T[];
    const newest = new Map<string, Row>(rows?.map((row) => [name(row), row]));
    for (const [key, { content }] of of ?? []) {
      const row: Row | undefined = key.startsWith(prefix) && content ? contentFields.read(content)[field] : undefined;
      if (row && (newest.get(name(row))?.updatedUs ?? 0) <= row.updatedUs) newest.set(name(row), row);
    }
    const made = [...newest.values()].filter((row) => !row.removed).map(show).sort(order);
    memo.set(prefix + id, { of, rows, list: made });
    return made;
  }
  const at = ({ id }: Conversation): { conversation: string; clientId: Uint8Array } => ({ conversation: id, clientId: host.newClientId() });
  const wanted = (value: number | undefined): { value: number } | undefined => (value === undefined ? undefined : { value });
  const announcement = (n: NewAnnouncement): { title: string; text: string; pinned: boolean } => ({ title: n.title, text: n.text, pinned: n.pinned ?? false });
  return {
    async load({ id }, options) {
      const ask = { conversation: id };
      const [a, b, c] = await Promise.all([
        host.call(calls.ListAnnouncements, ask, options),
        host.call(calls.ListGroupAttributes, ask, options),
        host.call(calls.ListCounters, ask, options),
      ]);
      loaded.set(`announcement/${id}`, a.announcements);
      loaded.set(`attr/${id}`, b.attributes);
      loaded.set(`counter/${id}`, c.counters);
      tell(id);
    },
    announcements: (conversation) => list(conversation, "announcement/", shelves["announcement/"]),
    attributes: (conversation) => list(conversation, "attr/", shelves["attr/"]),
    counters: (conversation) => list(conversation, "counter/", shelves["counter/"]),
    onChange: (listener) => {
      const own = (conversation: string): void => listener(conversation);
      listeners.add(own);
      return () => void listeners.delete(own);
    },
    announce: async (conversation, n, options) =>
      shelves["announcement/"].show((await host.call(calls.CreateAnnouncement, { ...at(conversation), ...announcement(n) }, options)).announcement as Row),
    updateAnnouncement: async (conversation, id, n, options) =>
      shelves["announcement/"].show((await host.call(calls.UpdateAnnouncement, { ...at(conversation), id, ...announcement(n) }, options)).announcement as Row),
    deleteAnnouncement: async (conversation, id, options) => {
      await host.call(calls.DeleteAnnouncement, { ...at(conversation), id }, options);
    },
    setAttribute: async (conversation, name, value, { version, signal } = {}) => {
      const ask = { ...at(conversation), name, value, version: version === undefined ? undefined : { version } };
      const { attribute } = await host.call(calls.SetGroupAttribute, ask, { signal });
      return attribute && shelves["attr/"].show(attribute);
    },
    removeAttribute: async (conversation, name, { version, signal } = {}) => {
      await host.call(calls.RemoveGroupAttribute, { ...at(conversation), name, version: version === undefined ? undefined : { version } }, { signal });
    },
    increment: async (conversation, name, delta, { min, max, signal } = {}) =>
      (await host.call(calls.IncrementCounter, { ...at(conversation), name, delta, min: wanted(min), max: wanted(max) }, { signal })).value,
    removeCounter: async (conversation, name, options) => {
      await host.call(calls.RemoveCounter, { ...at(conversation), name }, options);
    },
  };
}
