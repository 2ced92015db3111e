// The driver of the three machines: the one place that holds the connection, the outbox and the cursor. Of all
// tabs that are one device only the leader has one.
import { asSkeinError } from "../abort.js";
import { type ErrorCode, SkeinError } from "../error.js";
import type { Parts } from "../client.js";
import { uuidBytes, uuidTime } from "../ids.js";
import type { Ledger } from "../ledger.js";
import { type ConnectionEffect, type ConnectionEvent, ConnectionMachine, type Reason } from "../machine/connection.js";
import { type OutboxEffect, type OutboxEvent, OutboxMachine } from "../machine/outbox.js";
import type { PageRequest } from "../pages.js";
import type { Change } from "../reduce/state.js";
import { type Caller, WireFailure, call, coreCall } from "../rpc.js";
import { readClaims } from "../token.js";
import { type News, plain } from "../tabs/crew.js";
import type { ClientState, Platform, Unsubscribe } from "../types/client.js";
import type { EnvironmentSignal } from "../types/environment.js";
import type { OutboxRecord, StoreBatch } from "../types/store.js";
import { type Init, chunksIn, decode } from "../wire/codec.js";
import type { Take } from "../wire/piece.js";
import type { Error as WireError, Methods, ServerFrame, ServerPacket, SyncResponse } from "../wire/schema.js";
import { type Asked, Link, type Render } from "./link.js";
import { Repair } from "./repair.js";

export interface EngineHooks {
  state(state: ClientState, error: SkeinError | undefined, retryAt: number | undefined): void;
  /** What is heard and is no state. */
  news(news: News): void;
  /** News of the session that the other tabs have to know: the server's clock. */
  offset(ms: number): void;
}

export interface EngineOptions extends Caller, Parts {
  readonly platform: Platform;
  readonly deviceName: string;
  readonly debug: boolean;
  readonly render: Render | undefined;
}

interface Timer {
  readonly at: number;
  readonly run: () => void;
  readonly cancel: Unsubscribe;
}

const platforms: readonly Platform[] = ["web", "android", "ios", "desktop", "server"];
/** Read markers of a conversation are told at most this often. */
const readEveryMs = 300;
/** How long after an answer that did not help the attributes of a group are asked for again. */
const askAgainMs = 2000;
const maxWatched = 500;
/** Frames in flight that are left to reads, syncs and the watch list. */
const spareFrames = 8;
const sdkName = "skein-js/0.1.0";

export class Engine {
  readonly #options: EngineOptions;
  readonly #ledger: Ledger;
  readonly #hooks: EngineHooks;
  readonly #connection: ConnectionMachine;
  readonly #outbox: OutboxMachine;
  readonly #link: Link;
  readonly #repair: Repair;
  readonly #timers = new Map<string, Timer>();
  readonly #askedAbout = new Set<string>();
  /** Why an item was refused, in the server's words. */
  readonly #refusals = new Map<string, SkeinError>();
  #inbox: Promise<void> = Promise.resolve();
  #maxInFlight = 0;
  #synced = 0;
  #renewing = "";
  #storedCursor: Uint8Array | undefined;
  #foreign: SkeinError | undefined;
  /** Read markers to be told, and those that this session was told: conversation → seq. */
  readonly #reads = new Set<string>();
  readonly #readsSaid = new Map<string, number>();
  #watched: readonly string[] = [];
  #ended = false;

  constructor(options: EngineOptions, ledger: Ledger, hooks: EngineHooks) {
    this.#options = options;
    this.#ledger = ledger;
    this.#hooks = hooks;
    this.#connection = new ConnectionMachine(options.random);
    this.#outbox = new OutboxMachine(options.random);
    this.#repair = new Repair(ledger, options.clock, (request) => this.#ask("MessageService/ListMessages", request));
    this.#link = new Link(options.endpoint, options.transport, options.clock, {
      opened: (socket) => this.#step({ type: "opened", socket }),
      packet: (socket, packet) => this.#receive(socket, packet),
      garbled: (socket, error) => {
        this.#error(asSkeinError(error, "internal", "a packet is not of the protocol"));
        this.#drop(socket, 1002);
      },
      sent: (socket) => this.#step({ type: "sent", socket }),
      closed: (socket, code, opened, reason) => {
        const error: Reason = { code: "unavailable", message: reason || "the server was not reached" };
        this.#step(opened || code !== 1006 ? { type: "closed", socket, code } : { type: "dialFailed", socket, error });
      },
      frame: (frame) => hooks.news({ type: "frame", frame }),
      render: options.render,
    });
    this.#link.debug = options.debug;
  }

  set debug(debug: boolean) {
    this.#link.debug = debug;
  }

  /** Server time as far as it is known, milliseconds since 1970 UTC. */
  serverNow(): number {
    return this.#options.clock.now() + this.#connection.offset;
  }

  /** Begins with what the store had: everything early is forgotten, everything unacknowledged is tried again. */
  start(): void {
    this.#storedCursor = this.#ledger.state.cursor;
    this.#ledger.reduceNow({ type: "restart" });
    for (const item of this.#ledger.state.outbox.all()) this.#addToOutbox(item);
  }

  connect(): void {
    this.#step({ type: "connect" });
  }

  close(): void {
    if (this.#ended) return;
    this.#step({ type: "close" });
    this.#ended = true;
    this.#repair.setUp(false);
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
  }

  signal(signal: EnvironmentSignal): void {
    if (signal === "tick") this.#runLate();
    else this.#step({ type: signal === "visible" ? "online" : signal });
  }

  /** Who the tabs want to hear of. */
  watch(users: readonly string[]): void {
    this.#watched = [...new Set(users)].slice(0, maxWatched);
    if (this.#connection.state === "online") this.#sayWatch();
  }

  typing(conversation: string, typing: boolean): void {
    if (this.#connection.state === "online") this.#link.say({ typing: { conversation, stopped: !typing } }, { type: "other" });
  }

  /** Says a frame of a module's. With `answered` it resolves with what the server answers in fields that the core does not know. */
  say(frame: Uint8Array, answered: boolean): Promise<Uint8Array | undefined> {
    return new Promise((resolve, reject) => {
      if (this.#connection.state !== "online") reject(new SkeinError("unavailable", "the client is not online"));
      else this.#link.say({ rest: frame }, answered ? { type: "frame", resolve, reject } : { type: "other" });
      if (!answered) resolve(undefined);
    });
  }

  /** Calls a method whose answer is the caller's alone. */
  async #ask<Name extends keyof Methods>(method: Name, input: Init<Methods[Name]["input"]>, signal?: AbortSignal): Promise<Methods[Name]["output"]> {
    const { path, input: request, output } = coreCall(method);
    return output.read(await call(this.#options, path, request.write(input), signal));
  }

  /** Calls a method, and takes what it answers into the state. */
  async call<Name extends keyof Methods>(method: Name, input: Init<Methods[Name]["input"]>): Promise<Methods[Name]["output"]> {
    const { path, input: request, output, takes } = coreCall(method);
    return output.read(await this.post(path, request.write(input), takes));
  }

  /** Calls a method of which only the asker knows the messages, and takes entries and conversations of the answer into the state. */
  async post(path: string, body: Uint8Array, takes: readonly Take[]): Promise<Uint8Array> {
    const { incarnation } = this.#ledger.state;
    const answer = await call(this.#options, path, body);
    // What another incarnation answered is about positions that are others now. If it is still true it comes as news.
    if (incarnation && incarnation !== this.#ledger.state.incarnation) return answer;
    for (const [number, bytes] of chunksIn(answer)) {
      const type = takes.find((take) => take.number === number)?.type;
      if (type === "Entry") await this.#ledger.dispatch({ type: "answer", entry: decode(type, bytes) });
      else if (type) await this.#ledger.dispatch({ type: "conversation", conversation: decode(type, bytes) });
    }
    await this.#ledger.stored();
    return answer;
  }

  /** Loads a page of history into the store. */
  async fetchPage({ conversation, before, after, limit }: PageRequest, signal?: AbortSignal): Promise<void> {
    const request = { conversation, beforeSeq: before ?? 0, afterSeq: after ?? 0, limit };
    const page = await this.#ask("MessageService/ListMessages", request, signal);
    await this.#ledger.dispatch({ type: "page", repair: false, conversation, before: before ?? 0, after, page });
    await this.#ledger.stored();
  }

  /** What the ledger reduced. */
  changed(changes: readonly Change[]): void {
    if (this.#ended) return;
    for (const change of changes) {
      switch (change.type) {
        case "sent":
          this.#refusals.delete(change.id);
          this.#stepOutbox({ type: "ack", id: change.id });
          break;
        case "messageRemoved":
          if (change.item) this.#stepOutbox({ type: "discard", id: change.item.id });
          break;
        case "failed":
          this.#stepOutbox({ type: "discard", id: change.id }); // a reset may have failed it
          break;
        case "replaced":
          // A renewed id is the machine's own doing; a value of a key that was replaced leaves it.
          if (this.#renewing !== change.id) this.#stepOutbox({ type: "discard", id: change.id });
          break;
        case "conversation":
          this.#noteRead(change.conversation);
          this.#askAbout(change.conversation);
          break;
        case "resync":
          this.#saySync();
      }
    }
    this.#repair.look();
  }

  /** What the store has now: new items may go, and the server may hear of the cursor. */
  written(batch: StoreBatch): void {
    if (this.#ended) return;
    for (const { id } of batch.outbox ?? []) {
      const item = this.#ledger.state.outbox.get(id);
      if (item) this.#addToOutbox(item);
    }
    for (const id of batch.outboxDone ?? []) this.#stepOutbox({ type: "discard", id });
    const cursor = batch.meta?.cursor;
    if (!cursor || cursor === this.#storedCursor) return;
    this.#storedCursor = cursor;
    if (cursor.length) this.#step({ type: "cursor" });
  }

  #addToOutbox(item: OutboxRecord): void {
    if (item.state !== "sending") return;
    const { id, conversation, op, targetSeq, targetId, key, attempts, firstAttempt } = item;
    const target = targetSeq ? undefined : targetId;
    this.#stepOutbox({ type: "add", id, conversation, op, target, key, idMs: uuidTime(id), attempts, firstAttemptMs: firstAttempt });
  }

  #error(error: SkeinError): void {
    this.#hooks.news({ type: "error", error: plain(error) });
  }

  #step(event: ConnectionEvent): void {
    if (this.#ended) return;
    const before = this.#connection.state;
    for (const effect of this.#connection.step(event, this.#options.clock.now())) this.#carryOut(effect, before);
  }

  #carryOut(effect: ConnectionEffect, before: ClientState): void {
    switch (effect.type) {
      case "getToken":
        this.#getToken();
        return;
      case "dial":
        this.#link.dial(effect.socket);
        return;
      case "hello":
        void this.#sayHello(effect.socket);
        return;
      case "sync":
        this.#saySync();
        return;
      case "ping":
        this.#link.say({ ping: {} }, { type: "other" });
        return;
      case "refresh":
        this.#link.say({ refreshToken: { token: this.#options.tokens.current } }, { type: "refresh" });
        return;
      case "cursorAck":
        this.#link.say({ cursorAck: { cursor: this.#ledger.state.cursor } }, { type: "other" });
        return;
      case "closeSocket":
        this.#link.close(effect.socket, effect.code);
        return;
      case "dropCursor":
        void this.#ledger.dispatch({ type: "dropCursor" });
        return;
      case "flush":
        this.#flush();
        return;
      case "timer":
        this.#timer(effect.name, effect.inMs, () => this.#step({ type: "timer", name: effect.name }));
        return;
      case "cancel":
        this.#cancel(effect.name);
        return;
      case "cancelAll":
        for (const name of [...this.#timers.keys()]) if (!name.startsWith("own:")) this.#cancel(name);
        return;
      case "error":
        this.#error(failure(effect.error));
        return;
      case "state":
        this.#entered(before, effect.state, effect.error, effect.retryInMs);
    }
  }

  #entered(before: ClientState, state: ClientState, error: Reason | undefined, retryInMs: number | undefined): void {
    const up = state === "online" || state === "syncing";
    if (before === "online" && state !== "online") this.#stepOutbox({ type: "down" });
    if (!up) this.#repair.setUp(false);
    const retryAt = retryInMs === undefined ? undefined : this.#options.clock.now() + retryInMs;
    this.#hooks.state(state, this.#foreign ?? (error && failure(error)), retryAt);
  }

  /** The session can be used. */
  #flush(): void {
    this.#stepOutbox({ type: "up", maxInFlight: this.#maxInFlight && Math.max(1, this.#maxInFlight - spareFrames), offsetMs: this.#connection.offset });
    this.#askedAbout.clear();
    this.#readsSaid.clear();
    for (const c of this.#ledger.state.conversations.values()) if (c.readUnsent > 0) this.#reads.add(c.id);
    this.#sayReads();
    if (this.#watched.length) this.#sayWatch();
    this.#repair.setUp(true);
  }

  #getToken(): void {
    const { tokens } = this.#options;
    tokens.fetch().then(
      (token) => this.#step({ type: "token", expiresMs: readClaims(token).expiresMs }),
      (cause: unknown) => {
        const error = asSkeinError(cause, "unavailable", "the token supplier failed");
        if (tokens.foreign) this.#otherUser(error);
        else this.#step({ type: "tokenFailed", error: reason(error) });
      },
    );
  }

  /** What is stored is one user's, and nobody else may see it. */
  #otherUser(error: SkeinError): void {
    this.#foreign = error;
    this.close();
  }

  async #sayHello(socket: number): Promise<void> {
    const { tokens, appId, platform, deviceName, deviceId } = this.#options;
    let token = tokens.current;
    try {
      token ||= await tokens.fetch();
    } catch (error) {
      this.#step({ type: "helloError", socket, error: reason(asSkeinError(error, "unavailable", "the token supplier failed")) });
      return;
    }
    await this.#ledger.stored();
    if (this.#connection.socket !== socket) return;
    const hello = {
      protocol: 1,
      app: appId,
      token,
      device: deviceId(),
      platform: platforms.indexOf(platform) + 1,
      deviceName,
      sync: this.#syncRequest(),
      sdk: sdkName,
    };
    this.#link.say({ hello }, { type: "hello" });
  }

  #saySync(): void {
    this.#link.say({ sync: this.#syncRequest() }, { type: "sync" });
  }

  #syncRequest() {
    return { cursor: this.#ledger.state.cursor, follow: true };
  }

  #sayWatch(): void {
    this.#link.say({ watchPresence: { users: this.#watched } }, { type: "watch" });
  }

  #noteRead(id: string): void {
    const unsent = this.#ledger.conversation(id)?.readUnsent ?? 0;
    if (unsent <= (this.#readsSaid.get(id) ?? 0)) return;
    this.#reads.add(id);
    if (this.#connection.state === "online" && !this.#timers.has("own:read")) {
      this.#timer("own:read", readEveryMs, () => this.#sayReads());
    }
  }

  #sayReads(): void {
    if (this.#connection.state !== "online") return;
    for (const conversation of this.#reads) {
      const seq = this.#ledger.conversation(conversation)?.readUnsent ?? 0;
      if (!seq) continue;
      this.#readsSaid.set(conversation, seq);
      this.#link.say({ read: { conversation, seq } }, { type: "read", conversation });
    }
    this.#reads.clear();
  }

  /** A group of which only entries came: what it is called and who is in it has to be asked. */
  #askAbout(id: string): void {
    const c = this.#ledger.conversation(id);
    if (!c || c.meta > 0 || /^[@~]/.test(id) || c.head.seq === 0 || this.#askedAbout.has(id)) return;
    this.#askedAbout.add(id);
    const again = (): void => {
      this.#askedAbout.delete(id);
      if (this.#ledger.conversation(id)?.meta !== 0 || this.#ended) return;
      this.#timer(`own:ask/${id}`, askAgainMs, () => this.#askAbout(id)); // not understood, or older than what came meanwhile
    };
    this.call("ConversationService/GetConversation", { conversation: id }).then(again, (error: unknown) => {
      if (!(error instanceof SkeinError && (error.code === "not_found" || error.code === "permission_denied"))) again();
    });
  }

  #receive(socket: number, packet: ServerPacket): void {
    this.#step({ type: "received", socket });
    this.#runLate();
    this.#inbox = this.#inbox.then(() => this.#take(socket, packet)).catch((error: unknown) => {
      // A defect in here must not end the reading, nor pass as if nothing was: what this packet held comes again.
      this.#error(asSkeinError(error, "internal", "a packet was not applied"));
      this.#drop(socket, 1011);
    });
  }

  async #take(socket: number, packet: ServerPacket): Promise<void> {
    if (this.#ended) return;
    for (const { welcome } of packet.frames) {
      if (!welcome || welcome.user === this.#ledger.state.user) continue;
      this.#otherUser(new SkeinError("unauthenticated", "the token is another user's than the client's"));
      return;
    }
    await this.#ledger.dispatch({ type: "packet", packet });
    // The machine hears of a sync page when it is stored.
    if (packet.frames.some((frame) => frame.welcome ?? frame.sync)) await this.#ledger.stored();
    for (const frame of packet.frames) this.#takeFrame(socket, frame);
  }

  #takeFrame(socket: number, frame: ServerFrame): void {
    if (socket !== this.#connection.socket || this.#ended) return;
    const asked = frame.ref ? this.#link.answered(frame.ref) : undefined;
    if (frame.rest && !frame.ref) this.#hooks.news({ type: "fields", fields: frame.rest });
    if (asked?.type === "frame" && !frame.error) asked.resolve(frame.rest);
    if (frame.welcome) {
      const { serverTimeUs, tokenExpiresUs, pingIntervalMs, sync, limits } = frame.welcome;
      this.#maxInFlight = limits?.maxInFlight ?? 0;
      if (limits?.maxPacketBytes) this.#link.maxPacketBytes = limits.maxPacketBytes;
      const more = sync?.more ?? false;
      const follows = sync?.follows ?? false;
      this.#synced = 0;
      const [serverTimeMs, expiresMs] = [Math.floor(serverTimeUs / 1000), Math.floor(tokenExpiresUs / 1000)];
      this.#step({ type: "welcome", socket, serverTimeMs, expiresMs, pingIntervalMs, more, follows });
      this.#step({ type: "cursor" }); // the welcome's was stored before there was a session to acknowledge it in
      this.#hooks.offset(this.#connection.offset);
      this.#progress(sync);
    } else if (frame.sync) {
      const { more, follows } = frame.sync;
      this.#step({ type: "sync", socket, more, follows });
      // A sync asked for while online, because the journal is another one, has further pages of its own.
      if (more && !follows && this.#connection.state === "online") this.#saySync();
      this.#progress(frame.sync);
    } else if (frame.error) this.#refused(socket, asked, frame.error);
    else if (frame.typing) this.#hooks.news({ type: "typing", typing: frame.typing });
    else if (frame.goAway) this.#step({ type: "goAway", socket, retryAfterMs: frame.goAway.retryAfterMs });
    else if (frame.done && asked?.type === "refresh") this.#step({ type: "refreshed" });
    else if (frame.presence) {
      const { user, online, lastSeenUs, rest } = frame.presence;
      const presence = { user, online, lastSeen: lastSeenUs ? Math.floor(lastSeenUs / 1000) : undefined, fields: rest };
      this.#hooks.news({ type: "presence", presence });
    }
  }

  #progress(page: SyncResponse | undefined): void {
    this.#synced += page?.conversations.length ?? 0;
    this.#hooks.news({ type: "sync", sync: { done: this.#synced, total: 0, more: page?.more ?? false } });
  }

  #refused(socket: number, asked: Asked | undefined, wire: WireError): void {
    const error = new WireFailure(wire);
    switch (asked?.type) {
      case "hello":
        this.#step({ type: "helloError", socket, error: reason(error) });
        return;
      case "sync":
        if (this.#connection.state === "online" && error.code === "cursor_invalid") {
          void this.#ledger.dispatch({ type: "dropCursor" }).then(() => this.#saySync());
        } else this.#step({ type: "syncError", socket, error: reason(error) });
        return;
      case "refresh":
        this.#options.tokens.drop(this.#options.tokens.current);
        this.#step({ type: "refreshError", socket, error: reason(error) });
        return;
      case "send":
        this.#refusedItem(asked.id, error);
        return;
      case "frame":
        asked.reject(error);
        return;
      case "read":
        // It is told again with the next session; what does not exist any more is not worth a word.
        return;
      default:
        if (this.#connection.state === "connecting") this.#step({ type: "helloError", socket, error: reason(error) });
        else this.#error(error);
    }
  }

  #stepOutbox(event: OutboxEvent): void {
    if (this.#ended) return;
    for (const effect of this.#outbox.step(event, this.#options.clock.now())) this.#carryOutOutbox(effect);
  }

  #carryOutOutbox(effect: OutboxEffect): void {
    switch (effect.type) {
      case "transmit":
        this.#transmit(effect.id, effect.attempts, effect.firstAttemptMs);
        return;
      case "fail": {
        const { message, hint } = this.#refusals.get(effect.id) ?? failure({ code: effect.code });
        this.#refusals.delete(effect.id);
        this.#ledger.reduceNow({ type: "failed", id: effect.id, error: { code: effect.code, message, hint } });
        return;
      }
      case "renew": {
        const newId = this.#options.ids.next(this.serverNow());
        this.#renewing = effect.id;
        this.#ledger.reduceNow({ type: "renewed", id: effect.id, newId });
        this.#renewing = "";
        this.#stepOutbox({ type: "renewed", id: effect.id, newId, idMs: uuidTime(newId) });
        return;
      }
      case "stalled":
        this.#drop(this.#connection.socket, 1000);
        return;
      case "timer":
        this.#timer("own:outbox", effect.inMs, () => this.#stepOutbox({ type: "timer" }));
        return;
      case "cancel":
        this.#cancel("own:outbox");
    }
  }

  #transmit(id: string, attempts: number, firstAttempt: number): void {
    const item = this.#ledger.state.outbox.get(id);
    if (!item) {
      queueMicrotask(() => this.#stepOutbox({ type: "discard", id }));
      return;
    }
    this.#ledger.reduceNow({ type: "attempted", id, attempts, firstAttempt });
    if (item.op !== "send") {
      void this.#transmitCall(item, attempts);
      return;
    }
    const { conversation, body, toDevices, handshake, key, options, rest } = item;
    this.#link.say({ send: { conversation, clientId: uuidBytes(id), body, toDevices, handshake, key, ...options, rest } }, { type: "send", id });
  }

  /** Edits, recalls and reactions go by RPC. */
  async #transmitCall(item: OutboxRecord, attempts: number): Promise<void> {
    const about = { conversation: item.conversation, seq: item.targetSeq, clientId: uuidBytes(item.id) };
    const { incarnation } = this.#ledger.state;
    try {
      if (item.op === "edit") await this.call("MessageService/EditMessage", { ...about, body: item.body });
      else if (item.op === "recall") await this.call("MessageService/RecallMessage", about);
      else await this.call("MessageService/ReactToMessage", { ...about, emoji: item.emoji, remove: item.remove });
      if (incarnation && incarnation !== this.#ledger.state.incarnation) {
        this.#stepOutbox({ type: "networkError", id: item.id }); // done, and undone by a restore
        return;
      }
      // Its entry was reduced with the answer, if there was one to tell of.
      this.#ledger.reduceNow({ type: "done", id: item.id });
    } catch (error) {
      // An answer from before the connection was lost may be late: the newest attempt decides.
      if (this.#ledger.state.outbox.get(item.id)?.attempts !== attempts) return;
      if (error instanceof WireFailure || (error instanceof SkeinError && error.code !== "unavailable")) this.#refusedItem(item.id, error);
      else this.#stepOutbox({ type: "networkError", id: item.id });
    }
  }

  #refusedItem(id: string, error: SkeinError): void {
    this.#refusals.set(id, error);
    const serverTimeMs = error instanceof WireFailure ? error.serverTimeMs : 0;
    if (error.code === "clock_skew" && serverTimeMs) {
      this.#connection.offset = serverTimeMs - this.#options.clock.now();
      this.#hooks.offset(this.#connection.offset);
    }
    this.#stepOutbox({ type: "error", id, code: error.code, retryAfterMs: error.retryAfterMs, serverTimeMs });
  }

  /** Ends a socket that does not do, and comes back as after any loss. */
  #drop(socket: number, code: number): void {
    this.#link.close(socket, code);
    this.#step({ type: "closed", socket, code: 1006 });
  }

  #timer(name: string, inMs: number, fn: () => void): void {
    this.#cancel(name);
    const { clock } = this.#options;
    const run = (): void => {
      this.#cancel(name);
      fn();
    };
    this.#timers.set(name, { at: clock.now() + inMs, run, cancel: clock.after(inMs, run) });
  }

  #cancel(name: string): void {
    this.#timers.get(name)?.cancel();
    this.#timers.delete(name);
  }

  /** Runs what is due: a hidden page's own timers come late, but its messages do not. */
  #runLate(): void {
    const now = this.#options.clock.now();
    for (const timer of [...this.#timers.values()]) if (timer.at <= now) timer.run();
  }
}

function reason(error: SkeinError): Reason {
  return { code: error.code, message: error.message, hint: error.hint, retryAfterMs: error.retryAfterMs, cause: error };
}

const sentences: Partial<Record<ErrorCode, readonly [message: string, hint: string]>> = {
  expired: ["tried too long ago", "look in the history, then retry or discard it"],
  failed_precondition: ["what this is about was not sent", ""],
};

/** A machine's reason as the class that the app sees. */
function failure({ code, message, hint, retryAfterMs, cause }: Reason): SkeinError {
  if (cause instanceof SkeinError && cause.code === code) return cause;
  const [sentence, advice] = sentences[code] ?? [code, ""];
  return new SkeinError(code, message ?? sentence, { hint: hint ?? advice, retryAfterMs, cause });
}
