// A browser profile: tabs that share locks, channels and a database, and that can die without a word.
import { IDBFactory, IDBKeyRange } from "fake-indexeddb";
import { indexedDBStore } from "../../src/store/indexeddb.js";
import { type ChannelLike, type LocksLike, browserTabs } from "../../src/tabs/browser.js";
import type { Tabs } from "../../src/tabs/tabs.js";
import { sharedCrew } from "../../src/tabs/shared.js";
import type { Client } from "../../src/types/client.js";
import type { Modules } from "../../src/types/module.js";
import type { Partition, Store, UploadShelf } from "../../src/types/store.js";
import type { Transport } from "../../src/types/transport.js";
import type { World } from "./world.js";

globalThis.IDBKeyRange = IDBKeyRange;

interface Waiting {
  readonly tab: Tab;
  readonly run: () => void;
}

export class Profile {
  readonly factory = new IDBFactory();
  /** Has no room for bytes of uploads. */
  full = false;
  readonly world: World;
  readonly #queues = new Map<string, Waiting[]>();
  readonly #holders = new Map<string, Tab>();
  readonly #ports: { tab: Tab; name: string; port: ChannelLike }[] = [];
  #tabs = 0;

  readonly modules: (tab: Tab, tabs: Tabs) => Modules;

  constructor(world: World, { modules = {} }: { readonly modules?: Modules | ((tab: Tab, tabs: Tabs) => Modules) } = {}) {
    this.world = world;
    this.modules = typeof modules === "function" ? modules : () => modules;
  }

  tab(user = "alice"): Tab {
    return new Tab(this, user, `tab${++this.#tabs}`);
  }

  locks(tab: Tab): LocksLike {
    return {
      request: (name, { signal }, callback) =>
        new Promise((resolve, reject) => {
          if (!tab.alive) return;
          const waiting: Waiting = {
            tab,
            run: () => {
              this.#holders.set(name, tab);
              void callback().then(() => {
                if (this.#holders.get(name) === tab) this.#release(name);
                resolve(undefined);
              });
            },
          };
          signal.addEventListener("abort", () => {
            const queue = this.#queues.get(name) ?? [];
            this.#queues.set(name, queue.filter((other) => other !== waiting));
            reject(new Error("aborted"));
          });
          this.#queues.set(name, [...(this.#queues.get(name) ?? []), waiting]);
          if (!this.#holders.has(name)) this.#release(name);
        }),
    };
  }

  #release(name: string): void {
    this.#holders.delete(name);
    queueMicrotask(() => {
      if (this.#holders.has(name)) return;
      const [next, ...rest] = this.#queues.get(name) ?? [];
      this.#queues.set(name, rest);
      next?.run();
    });
  }

  channel(tab: Tab, name: string): ChannelLike {
    const port: ChannelLike = {
      onmessage: null,
      postMessage: (data) => {
        const copy: unknown = structuredClone(data);
        if (!tab.alive) return;
        for (const other of this.#ports) {
          if (other.port === port || other.name !== name) continue;
          setImmediate(() => {
            if (other.tab.alive) other.port.onmessage?.({ data: structuredClone(copy) });
          });
        }
      },
      close: () => {
        const index = this.#ports.findIndex((other) => other.port === port);
        if (index >= 0) this.#ports.splice(index, 1);
      },
    };
    this.#ports.push({ tab, name, port });
    return port;
  }

  /** The browser gives a dead tab's locks to the next in the queue. */
  bury(tab: Tab): void {
    for (const [name, queue] of this.#queues) this.#queues.set(name, queue.filter((waiting) => waiting.tab !== tab));
    for (const [name, holder] of [...this.#holders]) if (holder === tab) this.#release(name);
  }
}

/** A tab. Once it is killed nothing of it reaches anybody, nor does anything reach it. */
export class Tab {
  alive = true;
  readonly client: Client;
  readonly #profile: Profile;

  constructor(profile: Profile, user: string, id: string) {
    this.#profile = profile;
    const tabs = browserTabs({ locks: profile.locks(this), channel: (name) => profile.channel(this, name), id });
    this.client = profile.world.client(user, {
      modules: profile.modules(this, tabs),
      transport: this.#transport(profile.world.server),
      store: this.#store(indexedDBStore({ factory: profile.factory })),
      crew: sharedCrew(tabs),
    });
    void this.client.connect().catch(() => undefined);
  }

  kill(): void {
    this.alive = false;
    this.#profile.bury(this);
    for (const end of this.#ends) end();
  }

  readonly #ends: (() => void)[] = [];

  #transport(transport: Transport): Transport {
    return {
      connect: (url, protocol, handlers) => {
        const socket = transport.connect(url, protocol, {
          open: () => this.alive && handlers.open(),
          message: (data) => this.alive && handlers.message(data),
          close: (code, reason) => this.alive && handlers.close(code, reason),
        });
        this.#ends.push(() => socket.close(1001, ""));
        return { send: (data) => this.alive && socket.send(data), close: (code, reason) => this.alive && socket.close(code, reason) };
      },
      post: (request) => (this.alive ? transport.post(request) : new Promise(() => undefined)),
    };
  }

  #uploads(shelf: UploadShelf): UploadShelf {
    const never = <T>(done: () => Promise<T>): Promise<T> => (this.alive ? done() : new Promise(() => undefined));
    return {
      load: () => never(() => shelf.load()),
      put: (record, blobs) =>
        never(() => (this.#profile.full ? Promise.reject(new DOMException("full", "QuotaExceededError")) : shelf.put(record, blobs))),
      update: (record) => never(() => shelf.update(record)),
      remove: (id) => never(() => shelf.remove(id)),
    };
  }

  #store(store: Store): Store {
    const mortal = (partition: Partition): Partition => ({
      load: () => (this.alive ? partition.load() : new Promise(() => undefined)),
      outbox: () => (this.alive ? partition.outbox() : new Promise(() => undefined)),
      commit: (batch) => (this.alive ? partition.commit(batch) : new Promise(() => undefined)),
      messages: (query) => partition.messages(query),
      messagesAt: (conversation, seqs) => partition.messagesAt(conversation, seqs),
      uploads: partition.uploads && this.#uploads(partition.uploads),
      erase: () => partition.erase(),
      close: () => partition.close(),
    });
    return { open: async (key) => mortal(await store.open(key)), lastUser: (endpoint, appId) => store.lastUser(endpoint, appId) };
  }
}
