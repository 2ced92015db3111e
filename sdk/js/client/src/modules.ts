// What holds the modules of a client together: which of them reads what, and who hears of what. It comes with the first
// module; a client without modules does not load it.
import { abortable } from "./abort.js";
import { Emitter } from "./emitter.js";
import type { ConversationView } from "./conversation.js";
import { uuidBytes } from "./ids.js";
import { sameBytes } from "./reduce/sync.js";
import type { Change, Fold } from "./reduce/state.js";
import type { Message, MessageContent, Sendable } from "./types/message.js";
import type { EntryNews, KeyedChange, KeyedValue, Module, ModuleCore, ModuleHost } from "./types/module.js";
import { encode } from "./wire/codec.js";
import type { Body } from "./wire/schema.js";

const nothing: ReadonlyMap<string, KeyedValue> = /* @__PURE__ */ new Map();
const unknown: MessageContent = { type: "unknown" };

function contentOf(body: Body | undefined): Uint8Array | undefined {
  const bytes = encode("Content", body?.content ?? {});
  return bytes.length && !sameBytes(bytes, emptied) ? bytes : undefined;
}

/** A Private without a kind, which empties a key: Content.private = 35, of no bytes. */
const emptied = /* @__PURE__ */ Uint8Array.of(0x9a, 0x02, 0x00);

/** What a client asks its modules. */
export interface Hub {
  readonly folds: ReadonlyMap<number, Fold>;
  /** What the modules make of a content. */
  content(fields: Uint8Array): MessageContent;
  /** Has a module send what is its own. */
  send(conversation: ConversationView, message: Sendable, signal: AbortSignal | undefined): Promise<Message> | undefined;
  /** News of the state, or fields of a frame. */
  hear(news: Change | Uint8Array): void;
  /** The state was read from the store again. */
  reloaded(): void;
}

/** A module that is made with a host: what every `name()` of a module returns. */
export function defineModule<T>(make: (host: ModuleHost) => T): Module<T> {
  return (core) => {
    const hub = core.hub instanceof ModuleHub ? core.hub : new ModuleHub(core);
    core.hub = hub;
    return make(hub.host);
  };
}

class ModuleHub implements Hub {
  readonly host: ModuleHost;
  readonly #events = new Emitter<{ frame: Uint8Array; entry: EntryNews; keyed: KeyedChange }>();
  readonly folds = new Map<number, Fold>();
  readonly #readers: ((fields: Uint8Array) => MessageContent | undefined)[] = [];
  readonly #takers: Parameters<ModuleHost["sends"]>[0][] = [];
  readonly #keyed = new Map<string, { readonly of: unknown; readonly values: ReadonlyMap<string, KeyedValue> }>();
  readonly #core: ModuleCore;

  constructor(core: ModuleCore) {
    this.#core = core;
    this.host = this.#makeHost();
  }

  content(fields: Uint8Array): MessageContent {
    for (const read of this.#readers) {
      const content = read(fields);
      if (content) return content;
    }
    return unknown;
  }

  send({ id }: ConversationView, message: Sendable, signal: AbortSignal | undefined): Promise<Message> | undefined {
    for (const take of this.#takers) {
      const sent = take(id, message, signal);
      if (sent) return sent;
    }
    return undefined;
  }

  hear(news: Change | Uint8Array): void {
    if (!("type" in news)) this.#events.emit("frame", news);
    else if (news.type === "keyed") this.#changed(news.conversation, news.key);
    else if (news.type === "entry") this.#events.emit("entry", news);
    else if (news.type === "failed") queueMicrotask(() => this.#giveUp(news.id));
  }

  /** A value that was refused is not kept to be sent again: whoever set it hears of it and sets another one. */
  #giveUp(id: string): void {
    const { ledger, discard } = this.#core.host();
    if (ledger.state.outbox.get(id)?.key) discard(id).catch(() => undefined);
  }

  reloaded(): void {
    for (const item of this.#core.host().ledger.state.outbox.all()) if (item.state === "failed") this.#giveUp(item.id);
    for (const conversation of [...this.#keyed.keys()]) this.#changed(conversation, undefined);
  }

  /** Something about a conversation's values is different. */
  #changed(conversation: string, key: string | undefined): void {
    this.#keyed.delete(conversation);
    this.#events.emit("keyed", { conversation, key });
  }

  #makeHost(): ModuleHost {
    const { client, host, now, call, say, event } = this.#core;
    const events = this.#events;
    return {
      get userId() {
        return client.userId;
      },
      get state() {
        return client.state;
      },
      ready: client.ready,
      now,
      newClientId: () => uuidBytes(host().newId()),
      conversation: (id) => client.conversation.get(id),
      conversations: () => client.conversation.list(),
      onList: (listener) => client.conversation.subscribe(listener),
      on: (name, listener) => client.on(name, listener),
      call: (method, input, { signal } = {}) => call(method, input, signal),
      say: (frame) => void say(frame, false, undefined).catch(() => undefined),
      ask: (frame, { signal } = {}) => say(frame, true, signal),
      onFrame: (listener) => events.on("frame", listener),
      sends: (take) => void this.#takers.push(take),
      contents: (read) => void this.#readers.push(read),
      fold: (kind, fold) => void this.folds.set(kind, fold),
      onEntry: (listener) => events.on("entry", listener),
      keyed: (conversation) => this.#values(conversation),
      onKeyed: (listener) => events.on("keyed", listener),
      setKeyed: async (key, content, { signal } = {}) => {
        const { me, enqueue, settled } = host();
        const body = { scheme: 1, content: { replyToSeq: 0, mentions: [], rest: content ?? emptied }, opaque: new Uint8Array(0) };
        const { id } = enqueue({ op: "send", conversation: `~${me}`, key, body });
        await abortable(settled(id), signal);
      },
      withhold: async (conversation, fromSeq, toSeq) => {
        const live = host().ledger.conversation(conversation)?.live ?? 0;
        const withheld = { conversation, fromSeq, toSeq: Math.min(toSeq, live), ord: 0 };
        if (fromSeq <= live) await event({ type: "packet", packet: { frames: [{ ref: 0, withheld }], cursor: new Uint8Array(0) } });
      },
      take: async (found) => {
        const { conversation, asOf: asOfSeq, incarnation, items } = found;
        const page = { items, asOfSeq, incarnation, fromSeq: 0, toSeq: 0, atStart: false, atEnd: false };
        await event({ type: "page", conversation, before: 0, after: undefined, repair: false, found: true, page });
        const seqs = found.items.map(({ entry }) => entry?.seq ?? 0);
        const view = client.conversation.get(found.conversation) as ConversationView;
        const { ledger } = host();
        // Of a conversation that is not open nothing stays in memory: they are shown before they go.
        return ledger.pinned(async () => {
          await ledger.bringAt(conversation, seqs);
          return seqs.flatMap((seq) => view.find(seq) ?? []);
        });
      },
      forget: async (conversation, before) => {
        await event({ type: "forget", conversation, before });
      },
    };
  }

  #values(conversation: string): ReadonlyMap<string, KeyedValue> {
    const { ledger } = this.#core.host();
    const of = ledger.conversation(conversation)?.keyed;
    const held = this.#keyed.get(conversation);
    if (held && held.of === of) return held.values;
    const values = new Map<string, KeyedValue>();
    for (const { key, seq, body } of of?.values() ?? []) values.set(key, { key, seq, content: contentOf(body) });
    for (const { key, state, body } of ledger.state.outbox.sends(conversation).values()) {
      if (key && state !== "failed") values.set(key, { key, seq: 0, content: contentOf(body) });
    }
    this.#keyed.set(conversation, { of, values });
    return values.size ? values : nothing;
  }
}
