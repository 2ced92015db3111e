import { abortable, asSkeinError } from "./abort.js";
import { ConversationView, type ConversationHost, type NewItem, kindOf } from "./conversation.js";
import { Emitter } from "./emitter.js";
import { Engine } from "./engine/engine.js";
import { Ephemeral } from "./ephemeral.js";
import { SkeinError } from "./error.js";
import { IdMaker, uuidBytes } from "./ids.js";
import { Ledger } from "./ledger.js";
import { defaultLimit } from "./pages.js";
import { directId, showItem, showRecord } from "./project.js";
import type { Event } from "./reduce/reduce.js";
import type { Change } from "./reduce/state.js";
import { maxOutbox } from "./reduce/outbox.js";
import type { Extras } from "./modules/extras/index.js";
import { findUser, openPartition } from "./boot.js";
import { type Command, type Crew, type CrewHost, type News, type Status, alone, revive } from "./tabs/crew.js";
import { TokenSource } from "./token.js";
import { platformTransport } from "./transport.js";
import type {
  CallOptions,
  Client,
  ClientEvents,
  ClientOptions,
  ClientSnapshot,
  ClientState,
  Conversations,
  Devices,
  Presences,
  SearchHit,
  SearchOptions,
  Unsubscribe,
} from "./types/client.js";
import type { Conversation } from "./types/conversation.js";
import type { ModuleCore, Modules } from "./types/module.js";
import type { Clock, Random } from "./types/environment.js";
import { type Deferred, Waiters, deferred } from "./waiters.js";
import type { OutboxRecord, Partition, PartitionKey } from "./types/store.js";
import type { Init } from "./wire/codec.js";
import type { Call } from "./wire/piece.js";
import type { Methods } from "./wire/schema.js";
import { type Caller, coreCall } from "./rpc.js";

/** The options with everything that has a default, which differs from entry to entry. */
export interface FullOptions extends ClientOptions {
  readonly modules?: Modules | undefined;
  /** With whom this client is one device. Default: with nobody. */
  readonly crew?: ((host: CrewHost) => Crew) | undefined;
}

/** What the client, its connection and its modules have in common. */
export interface Parts extends Omit<Caller, "deviceId"> {
  /** A number in [0, 1). */
  readonly random: () => number;
  readonly ids: IdMaker;
  /** Whether it has ended for good; a state that says so may pass. */
  readonly closed: () => boolean;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, fn) {
    const timer = setTimeout(fn, ms);
    return () => clearTimeout(timer);
  },
};

export const systemRandom: Random = (length) => crypto.getRandomValues(new Uint8Array(length));

function uniform(random: Random): () => number {
  return () => new DataView(random(4).buffer).getUint32(0) / 2 ** 32;
}

function notReady(): SkeinError {
  return new SkeinError("failed_precondition", "the client is not ready", { hint: "call connect() and await client.ready" });
}

const ended: ReadonlySet<ClientState> = /* @__PURE__ */ new Set(["signedOut", "replaced", "closed"]);
/** After these nobody knows whether the id was used: a retry takes a new one. */
const spentIds: ReadonlySet<string> = /* @__PURE__ */ new Set(["client_id_reused", "expired", "clock_skew"]);
export class SkeinClient implements Client {
  readonly endpoint: string;
  readonly appId: string;
  readonly conversation: Conversations;
  readonly devices: Devices;
  readonly presence: Presences;
  readonly ready: Promise<void>;

  readonly #options: FullOptions;
  readonly #parts: Parts;
  readonly #clock: Clock;
  readonly #ids: IdMaker;
  readonly #tokens: TokenSource;
  readonly #events = new Emitter<ClientEvents & { changed: undefined; list: undefined }>();
  readonly #ephemeral: Ephemeral;
  readonly #modules: ModuleCore;
  readonly #views = new Map<string, ConversationView>();
  readonly #waiters = new Waiters();
  readonly #watches = new Map<symbol, readonly string[]>();
  /** Whom the tabs watch, as the one that leads. */
  readonly #tabWatches = new Map<string, readonly string[]>();
  readonly #isReady: Deferred<void>;
  #snapshot: ClientSnapshot = { state: "idle", error: undefined, retryAt: undefined, userId: "", deviceId: "", tab: "alone", outbox: 0 };
  #offset = 0;
  #started = false;
  #closed = false;
  #ledger: Ledger | undefined;
  #engine: Engine | undefined;
  #crew: Crew | undefined;
  #list: readonly Conversation[] | undefined;
  #listTold = true;
  #offEnvironment: Unsubscribe | undefined;

  constructor(options: FullOptions) {
    this.endpoint = options.endpoint.replace(/\/+$/, "");
    if (!/^https?:\/\/./.test(this.endpoint)) throw new SkeinError("invalid_argument", "endpoint is an http:// or https:// address");
    if (!options.appId) throw new SkeinError("invalid_argument", "appId is missing");
    this.appId = options.appId;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    const random = options.random ?? systemRandom;
    this.#ids = new IdMaker(random);
    this.#tokens = new TokenSource(options.token);
    this.#parts = {
      endpoint: this.endpoint,
      appId: this.appId,
      tokens: this.#tokens,
      transport: options.transport ?? platformTransport(),
      clock: this.#clock,
      random: uniform(random),
      ids: this.#ids,
      closed: () => this.#closed,
    };
    this.#ephemeral = new Ephemeral(this.#clock, {
      typing: (id, user, typing) => {
        const conversation = this.#view(id);
        conversation.invalidate();
        this.#events.emit("typing", { conversation, user, typing });
      },
      presence: (presence) => this.#events.emit("presence", presence),
    });
    this.#isReady = deferred();
    this.ready = this.#isReady.promise;
    this.ready.catch(() => undefined);
    this.conversation = this.#conversations();
    this.devices = {
      list: (options) => this.#host().extras.listDevices(this.#host(), options),
      signOut: async (device, { signal } = {}) => {
        await this.#call("DeviceService/SignOutDevice", { device }, signal);
      },
    };
    this.presence = this.#presences();
    this.#modules = {
      ...this.#parts,
      client: this,
      host: () => this.#host(),
      now: () => this.#clock.now() + this.#offset,
      call: (call, input, signal) => this.#post(call, input, signal),
      say: (frame, answered, signal) => abortable(this.#do({ type: "say", frame, answered }, signal) as Promise<Uint8Array | undefined>, signal),
      event: (event) => this.#event(event),
      hub: undefined,
    };
    for (const [name, make] of Object.entries(options.modules ?? {})) {
      if (name in this) throw new SkeinError("invalid_argument", `a client has something else called ${name}`);
      Object.assign(this, { [name]: make(this.#modules) });
    }
  }

  get state(): ClientState {
    return this.#snapshot.state;
  }
  get userId(): string {
    return this.#snapshot.userId;
  }
  get snapshot(): ClientSnapshot {
    return this.#snapshot;
  }

  subscribe(listener: () => void): Unsubscribe {
    return this.#events.on("changed", listener);
  }

  on<Name extends keyof ClientEvents>(name: Name, listener: (event: ClientEvents[Name]) => void): Unsubscribe {
    return this.#events.on(name, listener as never);
  }

  async connect({ signal }: CallOptions = {}): Promise<void> {
    if (this.#closed) throw this.#closedError();
    if (!this.#started) {
      this.#started = true;
      this.#begin().catch((cause: unknown) => {
        const error = asSkeinError(cause, "internal", "the client could not start");
        this.#isReady.reject(error);
        if (!this.#closed) this.#setState("closed", error, undefined);
      });
    } else if (ended.has(this.state) && (!this.#ledger || this.#tokens.foreign)) throw this.#closedError();
    else if (this.#ledger && this.state !== "online") this.#do({ type: "connect" }).catch(() => undefined);
    await abortable(this.#online(), signal);
  }

  /** Resolves when it is online, rejects when that can not come any more. */
  #online(): Promise<void> {
    return new Promise((resolve, reject) => {
      let wasTrying = false;
      const look = (): boolean => {
        const { state, error } = this.#snapshot;
        wasTrying ||= !ended.has(state);
        if (state === "online") resolve();
        else if (wasTrying && ended.has(state)) reject(error ?? this.#closedError());
        else return false;
        return true;
      };
      if (look()) return;
      const off = this.subscribe(() => {
        if (look()) off();
      });
    });
  }

  #closedError(): SkeinError {
    return this.#snapshot.error ?? new SkeinError("closed", "the client was closed", { hint: "make a new client" });
  }

  async #begin(): Promise<void> {
    const { endpoint, appId } = this;
    this.#setState("connecting", undefined, undefined);
    const { extras } = this.#options;
    const store = this.#options.store ?? extras?.memoryStore();
    if (!store) throw new SkeinError("invalid_argument", "./core needs a store");
    const boot = {
      ...this.#parts,
      userId: this.#options.userId,
      store,
      standIn: extras?.memoryStore,
      environment: this.#options.environment,
      waiting: (error: SkeinError, retryAt: number) => this.#setState("waiting", error, retryAt),
      error: (error: SkeinError) => this.#events.emit("error", error),
    };
    const userId = await findUser(boot);
    this.#tokens.user = userId;
    const key: PartitionKey = { endpoint, appId, userId };
    const partition = await openPartition(boot, key);
    if (this.#closed) return partition.close();
    const ledger = this.#makeLedger(userId, partition);
    // Before the store is read: what another tab stores after that, it tells.
    const crew = (this.#options.crew ?? alone)(this.#crewHost(ledger, `skein ${JSON.stringify([endpoint, appId, userId])}`));
    this.#crew = crew;
    await ledger.load();
    if (this.#closed) return ledger.close();
    this.#ledger = ledger;
    this.#set({ userId, tab: crew.shared ? "follower" : "alone", deviceId: ledger.deviceId });
    this.#reloaded(ledger);
    this.#isReady.resolve();
    crew.loaded();
    let under = false;
    this.#offEnvironment = this.#options.environment?.subscribe((signal) => {
      // One that nobody answers is enough to be on its way.
      if (signal === "tick" && under) return;
      under = true;
      const done = (): void => {
        under = false;
      };
      this.#do({ type: "signal", signal }).then(done, done);
    });
    if (this.#options.debug && crew.shared) this.#do({ type: "debug" }).catch(() => undefined);
  }

  #crewHost(ledger: Ledger, name: string): CrewHost {
    return {
      name,
      ledger,
      waiters: this.#waiters,
      clock: this.#clock,
      views: () => this.#views.values(),
      lead: () => this.#lead(ledger),
      follow: () => this.#watchAll(),
      execute: (command, tab) => this.#execute(command, tab),
      left: (tab) => {
        this.#tabWatches.delete(tab);
        this.#watchAll();
      },
      hear: (news) => this.#hear(news),
      setStatus: ({ state, error, retryAt, deviceId, offset }) => {
        this.#offset = offset;
        this.#set({ deviceId });
        this.#setState(state, error, retryAt);
      },
      status: (): Status => ({ ...this.#snapshot, offset: this.#offset }),
      reloaded: () => this.#reloaded(ledger),
      erased: () => void this.#end("signedOut", new SkeinError("signed_out", "the user signed out"), true),
      error: (cause) => this.#events.emit("error", asSkeinError(cause, "internal", "taking over from another tab failed")),
    };
  }

  #reloaded(ledger: Ledger): void {
    this.#listChanged();
    this.#modules.hub?.reloaded();
    this.#set({ outbox: unsent(ledger) });
  }

  #makeLedger(userId: string, partition: Partition): Ledger {
    const ledger: Ledger = new Ledger(userId, partition, this.#clock, {
      changed: (changes) => {
        this.#takeChanges(changes);
        this.#engine?.changed(changes);
      },
      written: (batch, changes, followed) => {
        if (followed) {
          if (batch.outbox?.length) this.#do({ type: "items", items: batch.outbox }).catch(() => undefined);
          return;
        }
        this.#crew?.tellBatch(batch, changes);
        this.#engine?.written(batch);
      },
      failed: (error) => this.#events.emit("error", error),
      shown: (id) => this.#views.get(id)?.shown,
    });
    ledger.follower = true;
    for (const [kind, fold] of this.#modules.hub?.folds ?? []) ledger.state.folds.set(kind, fold);
    return ledger;
  }

  /** This client holds the connection from now on. */
  #lead(ledger: Ledger): void {
    if (this.#closed) return;
    ledger.follower = false;
    const { deviceId, platform, deviceName, debug } = this.#options;
    const device = deviceId || ledger.deviceId || this.#ids.next(this.#clock.now());
    if (device !== ledger.deviceId) {
      // A cursor is one device's.
      if (ledger.deviceId) ledger.reduceNow({ type: "dropCursor" });
      ledger.deviceId = device;
      ledger.state.dirty.meta = true;
    }
    const options = {
      ...this.#parts,
      deviceId: () => ledger.deviceId,
      platform: platform ?? "web",
      deviceName: deviceName ?? "",
      debug: debug ?? false,
      render: this.#options.extras?.frame,
    };
    const engine = new Engine(options, ledger, {
      state: (state, error, retryAt) => {
        this.#setState(state, error, retryAt);
        // That this tab ends is not how the others are.
        if (!this.#closed) this.#crew?.tellStatus();
      },
      news: (news) => {
        this.#crew?.tell(news);
        this.#hear(news);
      },
      offset: (ms) => {
        this.#offset = ms;
        this.#crew?.tellStatus();
      },
    });
    this.#engine = engine;
    engine.start();
    this.#set({ tab: this.#crew?.shared ? "leader" : "alone", deviceId: device });
    engine.connect();
    this.#watchAll();
  }

  #hear(news: News): void {
    switch (news.type) {
      case "typing":
        this.#ephemeral.takeTyping(news.typing.conversation, news.typing.user, !news.typing.stopped);
        return;
      case "presence":
        this.#ephemeral.takePresence(news.presence);
        return;
      case "sync":
        this.#events.emit("sync", news.sync);
        return;
      case "fields":
        this.#modules.hub?.hear(news.fields);
        return;
      case "frame":
        if (this.#options.debug) this.#events.emit("frame", news.frame);
        return;
      case "error":
        this.#events.emit("error", revive(news.error));
    }
  }

  /** Has the tab that leads carry out a command; that may be this one. */
  async #do(command: Command, signal?: AbortSignal): Promise<unknown> {
    if (this.#closed) throw this.#closedError();
    if (this.#engine) return this.#execute(command, "");
    if (!this.#crew || !this.#ledger) throw notReady();
    return this.#crew.ask(command, signal);
  }

  async #execute(command: Command, tab: string): Promise<unknown> {
    const [engine, ledger] = [this.#engine, this.#ledger];
    if (!engine || !ledger) throw this.#closedError();
    switch (command.type) {
      case "call":
        return engine.post(command.path, command.body, command.takes);
      case "say":
        return engine.say(command.frame, command.answered);
      case "page":
        return engine.fetchPage(command.request);
      case "event":
        await ledger.dispatch(command.event);
        return ledger.stored();
      case "typing":
        engine.typing(command.conversation, command.typing);
        return undefined;
      case "watch":
        this.#tabWatches.set(tab, command.users);
        engine.watch([...this.#tabWatches.values()].flat());
        return undefined;
      case "items":
        for (const item of command.items) ledger.reduceNow({ type: "enqueue", item });
        return undefined;
      case "signal":
        engine.signal(command.signal);
        return undefined;
      case "connect":
        engine.connect();
        return undefined;
      case "debug":
        engine.debug = true;
        return undefined;
      case "signOut":
        await engine.call("DeviceService/SignOutDevice", { device: ledger.deviceId }).catch(() => undefined);
        return this.#erase(ledger);
    }
  }

  #event(event: Event): Promise<unknown> {
    return this.#do({ type: "event", event });
  }

  #call<Name extends keyof Methods>(method: Name, input: Init<Methods[Name]["input"]>, signal?: AbortSignal): Promise<Methods[Name]["output"]> {
    return this.#post(coreCall(method), input, signal);
  }

  async #post<I, O>({ path, input, output, takes }: Call<I, O>, given: Init<I>, signal: AbortSignal | undefined): Promise<O> {
    const command: Command = { type: "call", path, body: input.write(given), takes };
    return output.read((await abortable(this.#do(command, signal), signal)) as Uint8Array);
  }

  /** What the reducer changed, as snapshots and events. */
  #takeChanges(changes: readonly Change[]): void {
    const ledger = this.#ledger;
    if (!ledger) return;
    let list = false;
    for (const change of changes) {
      if (!("conversation" in change)) continue;
      list = true;
      this.#views.get(change.conversation)?.handle(change);
    }
    if (list) this.#listChanged();
    this.#set({ outbox: unsent(ledger) });
    for (const change of changes) this.#tellChange(ledger, change);
  }

  #tellChange(ledger: Ledger, change: Change): void {
    this.#modules.hub?.hear(change);
    switch (change.type) {
      case "message": {
        const conversation = this.#view(change.conversation);
        const message = conversation.find(change.seq);
        if (!message) return;
        this.#ephemeral.takeTyping(change.conversation, message.sender, false);
        this.#events.emit("message", { conversation, message, missed: change.missed ?? false });
        return;
      }
      case "messageUpdated": {
        const conversation = this.#view(change.conversation);
        const message = change.seq === undefined ? conversation.echo(change.id ?? "") : conversation.find(change.seq);
        if (message) this.#events.emit("messageUpdated", { conversation, message });
        return;
      }
      case "messageRemoved": {
        const { record, item } = change;
        if (item) this.#waiters.failed(item.id, new SkeinError("aborted", "the message was discarded"));
        const message = record ? showRecord(record, this.#host(), []) : item && !item.key && showItem(item, this.#host(), []);
        if (message) this.#events.emit("messageRemoved", { conversation: this.#view(change.conversation), message });
        return;
      }
      case "conversation":
        this.#events.emit("conversation", { conversation: this.#view(change.conversation) });
        return;
      case "sent":
        this.#waiters.sent(change.id, change.seq);
        return;
      case "failed":
        this.#waiters.failed(change.id, revive(change.error));
        return;
      case "replaced":
        this.#waiters.renamed(change.id, change.to);
    }
  }

  #view(id: string): ConversationView {
    let view = this.#views.get(id);
    if (!view) {
      view = new ConversationView(this.#host(), id);
      this.#views.set(id, view);
    }
    return view;
  }

  #hosted: ConversationHost | undefined;

  /** What conversations need of this client. */
  #host(): ConversationHost {
    const ledger = this.#ledger;
    if (!ledger) {
      throw notReady();
    }
    this.#hosted ??= {
      me: ledger.state.user,
      content: (fields) => this.#modules.hub?.content(fields) ?? { type: "unknown" },
      delegate: (...send) => this.#modules.hub?.send(...send),
      ledger,
      fetchPage: async (request, signal) => {
        await abortable(this.#do({ type: "page", request }, signal), signal);
        // A follower hears of the page as a batch that was told before the answer.
      },
      enqueue: (item) => this.#enqueue(ledger, item),
      settled: (id) => this.#waiters.wait(id),
      retry: async (id) => {
        const item = ledger.state.outbox.get(id);
        if (item?.state !== "failed") throw new SkeinError("failed_precondition", "the message is not a failed one");
        const newId = spentIds.has(item.error?.code ?? "") ? this.#newId() : undefined;
        await this.#event({ type: "retry", id, newId });
      },
      discard: async (id) => {
        await this.#event({ type: "discard", id });
      },
      read: (conversation, seq) => {
        // Shown at once, here too when another tab leads.
        if (!this.#engine) void ledger.dispatch({ type: "read", conversation, seq });
        this.#event({ type: "read", conversation, seq }).catch(() => undefined);
      },
      setTyping: (conversation, typing) => {
        if (this.#ephemeral.tell(conversation, typing)) this.#do({ type: "typing", conversation, typing }).catch(() => undefined);
      },
      typingIn: (id) => this.#ephemeral.typingIn(id),
      call: (method, input, signal) => this.#call(method, input, signal),
      post: (call, input, signal) => this.#post(call, input, signal),
      extras: this.#options.extras ?? none,
      newId: () => this.#newId(),
    };
    return this.#hosted;
  }

  #newId(): string {
    return this.#ids.next(this.#clock.now() + this.#offset);
  }

  #enqueue(ledger: Ledger, given: NewItem): OutboxRecord {
    if (this.#closed) throw this.#closedError();
    const { outbox } = ledger.state;
    if (outbox.size >= maxOutbox) {
      throw new SkeinError("resource_exhausted", `more than ${maxOutbox} messages are unsent`, { hint: "wait until some are sent" });
    }
    const time = Math.floor(this.#clock.now() + this.#offset) * 1000;
    const item: OutboxRecord = {
      id: this.#newId(),
      order: Math.max(time, outbox.lastOrder + 1),
      body: undefined,
      emoji: "",
      remove: false,
      key: "",
      toDevices: [],
      handshake: false,
      targetSeq: 0,
      targetId: "",
      time,
      state: "sending",
      error: undefined,
      seq: 0,
      ord: 0,
      ackTime: 0,
      attempts: 0,
      firstAttempt: 0,
      ...given,
    };
    if (item.op === "send") this.#ephemeral.sent(item.conversation);
    ledger.reduceNow({ type: "enqueue", item });
    return item;
  }

  #conversations(): Conversations {
    return {
      with: (userId) => this.#view(userId === this.#host().me ? `~${userId}` : directId(this.#host().me, userId)),
      group: (id) => this.#view(id),
      self: () => this.#view(`~${this.#host().me}`),
      get: (id) => this.#view(id),
      list: () => (this.#list ??= this.#sorted()),
      subscribe: (listener) => this.#events.on("list", listener),
      createGroup: async (group, options) => this.#view(await this.#host().extras.createGroup(this.#host(), group, options)),
    };
  }

  #sorted(): readonly Conversation[] {
    const ledger = this.#ledger;
    if (!ledger) return [];
    const listed: ConversationView[] = [];
    for (const c of ledger.state.conversations.values()) {
      const view = this.#view(c.id);
      const { lastMessage, head, known } = view.snapshot;
      if (lastMessage || head.ord > 0 || (known && kindOf(c.id) === "group")) listed.push(view);
    }
    return listed.sort((a, b) => b.snapshot.activity - a.snapshot.activity || (a.id < b.id ? -1 : 1));
  }

  #listChanged(): void {
    this.#list = undefined;
    if (!this.#listTold) return;
    this.#listTold = false;
    queueMicrotask(() => {
      this.#listTold = true;
      this.#events.emit("list", undefined);
    });
  }

  #presences(): Presences {
    return {
      watch: (users) => {
        const watch = Symbol();
        this.#watches.set(watch, users);
        this.#watchAll();
        return () => {
          if (this.#watches.delete(watch)) this.#watchAll();
        };
      },
      get: (user) => this.#ephemeral.presenceOf(user),
      fetch: (users, options) => this.#host().extras.fetchPresence(this.#host(), users, options),
    };
  }

  /** Tells whom this tab watches. */
  #watchAll(): void {
    if (!this.#ledger || this.#closed) return;
    const users = [...new Set([...this.#watches.values()].flat())];
    this.#do({ type: "watch", users }).catch(() => undefined);
  }

  async search(text: string, { conversation, limit = defaultLimit, signal }: SearchOptions = {}): Promise<readonly SearchHit[]> {
    const { ledger } = this.#host();
    const one = typeof conversation === "object" ? conversation.id : conversation;
    const hits = await this.#host().extras.search(ledger, one === undefined ? [...ledger.state.conversations.keys()] : [one], text, limit, signal);
    return hits.map((record) => ({ conversation: this.#view(record.conversation), message: showRecord(record, this.#host(), []) }));
  }

  #setState(state: ClientState, error: SkeinError | undefined, retryAt: number | undefined): void {
    const before = this.#snapshot;
    this.#set({ state, error, retryAt });
    if (before.state === "online" && state !== "online") this.#ephemeral.forget();
    if (before.state !== state || before.error !== error || before.retryAt !== retryAt) this.#events.emit("state", { state, error, retryAt });
  }

  #set(part: Partial<ClientSnapshot>): void {
    const keys = Object.keys(part) as (keyof ClientSnapshot)[];
    if (keys.every((key) => part[key] === this.#snapshot[key])) return;
    this.#snapshot = { ...this.#snapshot, ...part };
    this.#events.emit("changed", undefined);
  }

  async close(): Promise<void> {
    await this.#end("closed", undefined);
  }

  async signOut({ signal }: CallOptions = {}): Promise<void> {
    if (!this.#ledger) {
      await this.close();
      return;
    }
    await abortable(this.#do({ type: "signOut" }, signal), signal);
  }

  /** As the one that leads: the user's data goes, in all tabs. */
  async #erase(ledger: Ledger): Promise<void> {
    this.#crew?.tellErased();
    this.#engine?.close();
    await ledger.erase();
    await this.#end("signedOut", undefined, true);
  }

  async #end(state: ClientState, error: SkeinError | undefined, erased = false): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#offEnvironment?.();
    this.#engine?.close();
    this.#engine = undefined;
    this.#tokens.close();
    this.#ephemeral.forget();
    const gone = error ?? new SkeinError("closed", "the client was closed");
    this.#isReady.reject(gone);
    this.#waiters.failAll(gone);
    this.#setState(state, error, undefined);
    if (erased) this.#ledger?.abandon();
    // The lock goes after the last write, so that the next tab reads all of it.
    await this.#ledger?.close().catch(() => undefined);
    this.#crew?.leave();
  }
}

/** Extras that were not given: each rejects. */
const none = /* @__PURE__ */ new Proxy({} as Extras, {
  get: () => async () => {
    throw new SkeinError("unsupported", "this is not part of ./core", { hint: "give createClient the extras of @skein/client/extras" });
  },
});

function unsent(ledger: Ledger): number {
  return ledger.state.outbox.unacked;
}
