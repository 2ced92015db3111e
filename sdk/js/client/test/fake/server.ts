// A Skein server in memory, as far as an SDK can see it: logs, idempotent sends, sync by cursor, history pages with
// reactions and edits folded in. It speaks the wire through the SDK's own codec and is a Transport, so that a test
// can cut, delay, reorder and repeat what it sends.
import type { HttpRequest, HttpResponse, Socket, SocketHandlers, Transport } from "../../src/types/transport.js";
import { calls } from "../../src/modules/extras/wire.js";
import type { Call } from "../../src/wire/piece.js";
import { type Init, decode, encode, toBase64 } from "../../src/wire/codec.js";
import {
  type Body,
  type ClientFrame,
  type Conversation,
  type ConversationDelta,
  type Entry,
  type ListMessagesRequest,
  type ListMessagesResponse,
  type Messages,
  type ServerFrame,
  type SyncRequest,
  type SyncResponse,
  errorCodes,
} from "../../src/wire/schema.js";
import type { ErrorCode } from "../../src/error.js";
import { kindOf } from "../../src/conversation.js";
import { peerOf } from "../../src/project.js";
import { react } from "../../src/reduce/positions.js";
import { kinds } from "../../src/reduce/state.js";
import type { ManualClock } from "./clock.js";

/** A conversation's log. */
interface Log {
  readonly id: string;
  readonly members: Map<string, { from: number; to: number; readSeq: number; readOrd: number; role: number; changed: number }>;
  title: string;
  entries: Entry[];
  changed: number;
}

interface Session {
  readonly handlers: SocketHandlers;
  user: string;
  device: string;
  open: boolean;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function tokenFor(user: string, expiresMs = 4_000_000_000_000): string {
  const part = (value: unknown): string => toBase64(encoder.encode(JSON.stringify(value))).replaceAll("=", "");
  return `${part({ alg: "HS256" })}.${part({ sub: user, exp: expiresMs / 1000 })}.${part("signed")}`;
}

export function errorCode(code: ErrorCode): number {
  return errorCodes.split(" ").indexOf(code);
}

export function textBody(text: string): Body {
  return {
    scheme: 1,
    content: { text: { text }, replyToSeq: 0, mentions: [] },
    opaque: new Uint8Array(0),
  };
}

let ids = 0;

/** A client id that nobody else makes. */
export function freshId(): Uint8Array {
  const bytes = new Uint8Array(16);
  new DataView(bytes.buffer).setUint32(12, ++ids);
  bytes[6] = 0x70;
  return bytes;
}

export class FakeServer implements Transport {
  incarnation = "i1";
  /** Nobody gets through. */
  down = false;
  /** Newest entries of a conversation in a sync page. */
  syncEntries = 50;
  syncConversations = 100;
  /** What the server would send, as the test wants it to arrive. */
  shape: (frames: Init<ServerFrame>[], session: Session) => Init<ServerFrame>[] = (frames) => frames;
  /** Refuses a frame or a call; undefined = goes through. */
  refuse: (what: string, input: unknown) => { code: ErrorCode; retryAfterMs?: number } | undefined = () => undefined;
  /** The answers of calls wait for it. */
  held: Promise<void> | undefined;
  /** Does not answer sends. */
  mute = false;
  /** Each hello that came. */
  readonly hellos: { user: string; device: string; cursor: string }[] = [];
  /** Each call and frame that came, by name. */
  readonly heard: string[] = [];
  readonly #clock: ManualClock;
  readonly #logs = new Map<string, Log>();
  #sessions: Session[] = [];
  #pos = 0;

  constructor(clock: ManualClock) {
    this.#clock = clock;
  }

  get connections(): number {
    return this.#sessions.filter((s) => s.open && s.user).length;
  }

  get sessions(): readonly Session[] {
    return this.#sessions.filter((s) => s.open && s.user);
  }

  log(id: string): Log {
    let log = this.#logs.get(id);
    if (!log) {
      log = { id, members: new Map(), title: "", entries: [], changed: ++this.#pos };
      this.#logs.set(id, log);
      const users = id.startsWith("~") ? [id.slice(1)] : id.startsWith("@") ? directUsers(id) : [];
      for (const user of users) this.join(log, user, 1);
    }
    return log;
  }

  join(log: Log, user: string, role: number): void {
    log.members.set(user, { from: log.entries.length + 1, to: 0, readSeq: 0, readOrd: 0, role, changed: ++this.#pos });
  }

  makeGroup(id: string, title: string, users: readonly string[]): Log {
    const log = this.log(id);
    log.title = title;
    for (const [i, user] of users.entries()) this.join(log, user, i === 0 ? 3 : 1);
    return log;
  }

  /** Appends an entry, or finds it when the client id was used before; tells who is connected. */
  append(id: string, sender: string, given: Partial<Entry>, except?: Session): Entry {
    const log = this.log(id);
    const clientId = given.clientId ?? freshId();
    const before = log.entries.find((e) => e.sender === sender && same(e.clientId, clientId));
    if (before) return before;
    const kind = given.kind ?? kinds.message;
    const entry: Entry = {
      conversation: id,
      seq: log.entries.length + 1,
      ord: (log.entries.at(-1)?.ord ?? 0) + (kind === kinds.message ? 1 : 0),
      kind,
      sender,
      timeUs: this.#clock.now() * 1000 + log.entries.length,
      version: 1,
      body: undefined,
      targetSeq: 0,
      toUsers: [],
      silent: false,
      priority: 0,
      expiresUs: 0,
      burnAfterS: 0,
      uncounted: false,
      expired: false,
      handshake: false,
      toDevices: [],
      key: "",
      previousBody: undefined,
      recalled: false,
      ...given,
      clientId,
    };
    log.entries.push(entry);
    log.changed = ++this.#pos;
    const own = log.members.get(sender);
    if (own && kind === kinds.message) Object.assign(own, { readSeq: entry.seq, readOrd: entry.ord });
    this.#rewrite(log, entry);
    for (const session of this.sessions) {
      if (session !== except && log.members.has(session.user)) this.tell(session, [{ entry }]);
    }
    return entry;
  }

  text(id: string, sender: string, text: string): Entry {
    return this.append(id, sender, { body: textBody(text) });
  }

  /** An edit or a recall changes the row that it is about. */
  #rewrite(log: Log, entry: Entry): void {
    const index = entry.targetSeq - 1;
    const target = log.entries[index];
    if (!target) return;
    const version = target.version + 1;
    if (entry.kind === kinds.edit && !target.recalled) log.entries[index] = { ...target, version, body: entry.body };
    if (entry.kind === kinds.recall) log.entries[index] = { ...target, version, body: undefined, recalled: true };
  }

  tell(session: Session, frames: Init<ServerFrame>[]): void {
    const shaped = this.shape(frames, session);
    if (!shaped.length) return;
    const paged = shaped.some((frame) => frame.welcome ?? frame.sync);
    const packet = paged ? { frames: shaped } : { frames: shaped, cursor: this.#cursor() };
    const bytes = encode("ServerPacket", packet as Init<Messages["ServerPacket"]>);
    queueMicrotask(() => {
      if (session.open) session.handlers.message(bytes);
    });
  }

  #cursor(): Uint8Array {
    return encoder.encode(`${this.incarnation}/${this.#pos}`);
  }

  /** Cuts every connection. */
  cut(code = 1006): void {
    for (const session of this.#sessions) this.#end(session, code);
    this.#sessions = [];
  }

  #end(session: Session, code: number): void {
    if (!session.open) return;
    session.open = false;
    queueMicrotask(() => session.handlers.close(code, ""));
  }

  connect(_: string, __: string, handlers: SocketHandlers): Socket {
    const session: Session = { handlers, user: "", device: "", open: true };
    if (this.down) {
      this.#end(session, 1006);
      return { send: () => undefined, close: () => undefined };
    }
    this.#sessions.push(session);
    queueMicrotask(() => {
      if (session.open) handlers.open();
    });
    return {
      send: (data) => {
        if (!session.open) return;
        for (const frame of decode("ClientPacket", data).frames) this.#frame(session, frame);
      },
      close: (code) => this.#end(session, code),
    };
  }

  #frame(session: Session, frame: ClientFrame): void {
    const { ref } = frame;
    const name = Object.keys(frame).find((key) => key !== "ref" && frame[key as keyof ClientFrame] !== undefined) ?? "";
    this.heard.push(name);
    const refused = this.refuse(name, frame[name as keyof ClientFrame]);
    if (refused) {
      const { code, retryAfterMs = 0 } = refused;
      this.tell(session, [{ ref, error: { code: errorCode(code), message: code, retryAfterMs, serverTimeUs: this.#clock.now() * 1000 } }]);
      return;
    }
    if (frame.hello) this.#hello(session, ref, frame.hello);
    else if (frame.send && !this.mute) {
      const { conversation, clientId, body, key } = frame.send;
      const kind = key ? kinds.keyed : kinds.message;
      const entry = this.append(conversation, session.user, { clientId, body, key, kind }, session);
      this.tell(session, [{ ref, ack: { conversation, seq: entry.seq, ord: entry.ord, timeUs: entry.timeUs, clientId } }]);
    } else if (frame.read) {
      const log = this.log(frame.read.conversation);
      const member = log.members.get(session.user);
      const readSeq = Math.min(frame.read.seq, log.entries.length);
      const readOrd = log.entries[readSeq - 1]?.ord ?? 0;
      if (member && readSeq > member.readSeq) Object.assign(member, { readSeq, readOrd, changed: ++this.#pos });
      const marker = { conversation: log.id, user: session.user, readSeq, readOrd };
      this.tell(session, [{ ref, readMarker: marker }]);
      for (const other of this.sessions) if (other !== session && log.members.has(other.user)) this.tell(other, [{ readMarker: marker }]);
    } else if (frame.rest) this.tell(session, [{ ref, ...this.moduleFrame(frame.rest) }]);
    else if (frame.sync) this.tell(session, [{ ref, sync: this.sync(session.user, frame.sync) }]);
    else if (frame.ping) this.tell(session, [{ ref, pong: { serverTimeUs: this.#clock.now() * 1000 } }]);
    else if (frame.typing) {
      const typing = { ...frame.typing, user: session.user };
      for (const other of this.sessions) if (other.user !== session.user) this.tell(other, [{ typing }]);
    } else if (frame.watchPresence) {
      this.tell(session, frame.watchPresence.users.map((user) => ({ presence: { user, online: this.sessions.some((s) => s.user === user) } })));
    } else if (!this.mute) this.tell(session, [{ ref, done: {} }]);
  }

  #hello(session: Session, ref: number, hello: Messages["Hello"]): void {
    const claims = JSON.parse(atob(hello.token.split(".")[1] ?? "")) as { sub: string; exp: number };
    session.user = claims.sub;
    session.device = hello.device;
    this.hellos.push({ user: claims.sub, device: hello.device, cursor: decoder.decode(hello.sync?.cursor) });
    for (const other of this.#sessions) {
      if (other !== session && other.open && other.user === session.user && other.device === session.device) this.#end(other, 4405);
    }
    const welcome = {
      session: "s",
      user: claims.sub,
      serverTimeUs: this.#clock.now() * 1000,
      tokenExpiresUs: claims.exp * 1_000_000,
      pingIntervalMs: 25_000,
      limits: { maxInFlight: 64, maxPacketBytes: 256 * 1024 },
      sync: this.sync(claims.sub, hello.sync ?? { cursor: new Uint8Array(0), conversations: 0, entries: 0, follow: false }),
    };
    this.tell(session, [{ ref, welcome }]);
  }

  conversation(log: Log, user: string): Conversation {
    const own = log.members.get(user);
    const last = own?.to ? own.to - 1 : log.entries.length;
    return {
      id: log.id,
      kind: { direct: 1, group: 2, self: 3 }[kindOf(log.id)],
      title: log.title,
      headSeq: last,
      headOrd: log.entries[last - 1]?.ord ?? 0,
      aclVersion: 1,
      memberCount: [...log.members.values()].filter((m) => !m.to).length,
      membership: own && { user, role: own.role, fromSeq: own.from, toSeq: own.to, readSeq: own.readSeq, readOrd: own.readOrd },
      readMarkers: [...log.members]
        .filter(([other]) => other !== user)
        .map(([other, { readSeq, readOrd }]) => ({ conversation: log.id, user: other, readSeq, readOrd })),
      createdUs: 1_700_000_000_000_000,
    };
  }

  /** What changed since the cursor, one page. */
  sync(user: string, request: SyncRequest): SyncResponse {
    const [incarnation, text = "0", skip = "0"] = decoder.decode(request.cursor).split("/");
    const reset = incarnation !== this.incarnation;
    const since = reset ? 0 : Number(text);
    const changed = [...this.#logs.values()]
      .filter((log) => log.members.has(user) && (log.changed > since || [...log.members.values()].some((m) => m.changed > since)))
      .filter((log) => log.entries.length > 0 || log.title)
      .sort((a, b) => b.changed - a.changed);
    const start = reset ? 0 : Number(skip);
    const page = changed.slice(start, start + this.syncConversations);
    const more = start + page.length < changed.length;
    const cursor = more ? encoder.encode(`${this.incarnation}/${since}/${start + page.length}`) : this.#cursor();
    return {
      conversations: page.map((log) => this.#delta(log, user, since)),
      cursor,
      more,
      follows: false,
      reset,
      incarnation: this.incarnation,
      serverTimeUs: this.#clock.now() * 1000,
    };
  }

  #delta(log: Log, user: string, since: number): ConversationDelta {
    const conversation = this.conversation(log, user);
    const from = conversation.membership?.fromSeq ?? 1;
    const readable = log.entries.slice(from - 1, conversation.headSeq);
    // It keeps no history of positions: what is newer than the cursor is found by the log's own count.
    const entries = log.changed > since ? readable.slice(-this.syncEntries) : [];
    return { conversation, entries, withheld: [], gap: entries.length < readable.length, keyed: [] };
  }

  history(user: string, request: ListMessagesRequest): ListMessagesResponse {
    const log = this.log(request.conversation);
    const from = log.members.get(user)?.from ?? 1;
    const limit = request.limit || 50;
    const { beforeSeq, afterSeq } = request;
    const all = log.entries.filter((e) => e.seq >= from);
    const side = all.filter((e) => (afterSeq ? e.seq > afterSeq : !beforeSeq || e.seq < beforeSeq));
    const shown = side.filter((e) => [kinds.message, kinds.members, kinds.conversation].some((kind) => kind === e.kind));
    const picked = afterSeq ? shown.slice(0, limit) : shown.slice(-limit);
    const last = picked.length === shown.length ? (afterSeq ? side.at(-1) : side.at(-1)) : picked.at(-1);
    const first = picked.length === shown.length ? side[0] : picked[0];
    const [fromSeq, toSeq] = side.length ? [afterSeq ? (side[0]?.seq ?? 0) : (first?.seq ?? 0), afterSeq ? (last?.seq ?? 0) : (side.at(-1)?.seq ?? 0)] : [0, 0];
    return {
      items: picked.map((entry) => ({
        entry,
        reactions: log.entries
          .filter((e) => e.kind === kinds.reaction && e.targetSeq === entry.seq)
          .reduce<ReturnType<typeof react>>((list, e) => {
            const reaction = e.body?.content?.reaction;
            return reaction ? react(list, user, e.sender, reaction.emoji, reaction.removed) : list;
          }, []),
        votes: [],
      })),
      fromSeq,
      toSeq,
      atStart: fromSeq <= from || !side.length,
      atEnd: toSeq >= log.entries.length || !side.length,
      asOfSeq: log.entries.length,
      incarnation: this.incarnation,
    };
  }

  /** Answers frames of modules. */
  moduleFrame: (fields: Uint8Array) => Init<ServerFrame> = () => ({ done: {} });

  /** Answers calls of modules, by the method, or refuses them. */
  readonly modules = new Map<string, (body: Uint8Array) => Uint8Array | ErrorCode>();

  async post({ url, headers, body }: HttpRequest): Promise<HttpResponse> {
    const method = url.split("/").at(-1) ?? "";
    this.heard.push(method);
    if (this.down) throw new TypeError("fetch failed");
    const module = this.modules.get(method);
    if (module) {
      const refused = this.refuse(method, body);
      if (refused) return problem(refused.code, refused.retryAfterMs);
      const answer = module(body);
      return typeof answer === "string" ? problem(answer) : { status: 200, contentType: "application/proto", body: answer };
    }
    const call = (calls as Readonly<Record<string, Call<unknown, unknown>>>)[method];
    const input = (call ? call.input.read(body) : decode(`${method}Request` as keyof Messages, body)) as Record<string, unknown>;
    const [refused, { held }] = [this.refuse(method, input), this];
    if (refused && held) await held;
    if (refused) return problem(refused.code, refused.retryAfterMs);
    const claims = JSON.parse(atob((headers["Authorization"] ?? "").split(".")[1] ?? "")) as { sub: string };
    const output = this.#call(method, claims.sub, input);
    if (held) await held;
    if (!output) return problem("not_found");
    return { status: 200, contentType: "application/proto", body: call ? call.output.write(output) : encode(`${method}Response` as keyof Messages, output as never) };
  }

  #call(method: string, user: string, input: Record<string, unknown>): unknown {
    const conversation = input["conversation"] as string;
    const act = (kind: number, body?: Body): unknown => ({
      entry: this.append(conversation, user, { kind, body, targetSeq: input["seq"] as number, clientId: input["clientId"] as Uint8Array }),
    });
    switch (method) {
      case "ListMessages":
        return this.history(user, input as unknown as ListMessagesRequest);
      case "EditMessage":
        return act(kinds.edit, input["body"] as Body);
      case "RecallMessage":
        return act(kinds.recall);
      case "ReactToMessage":
        return act(kinds.reaction, {
          scheme: 1,
          content: { reaction: { emoji: input["emoji"] as string, removed: input["remove"] as boolean }, replyToSeq: 0, mentions: [] },
          opaque: new Uint8Array(0),
        });
      case "GetConversation":
        return this.#logs.has(conversation) && { conversation: this.conversation(this.log(conversation), user) };
      case "CreateGroup": {
        const members = [user, ...(input["members"] as string[])];
        const log = this.makeGroup((input["id"] as string) || `g${this.#pos}`, input["title"] as string, members);
        return { conversation: this.conversation(log, user) };
      }
      case "ListDevices":
        return { devices: this.sessions.filter((s) => s.user === user).map((s) => ({ id: s.device, platform: 1, online: true })) };
      case "SignOutDevice": {
        for (const s of this.sessions) if (s.user === user && s.device === input["device"]) this.#end(s, 4403);
        return {};
      }
      case "ListMembers": {
        const members = [...this.log(conversation).members].map(([name, m]) => ({ user: name, role: m.role, readSeq: m.readSeq, readOrd: m.readOrd }));
        return { members, nextPage: "" };
      }
      case "ListEdits":
        return { revisions: [{ body: textBody("first"), timeUs: 1000, editSeq: 0 }] };
      case "GetPresence":
        return { presences: (input["users"] as string[]).map((name) => ({ user: name, online: this.sessions.some((s) => s.user === name) })) };
      default:
        return undefined;
    }
  }
}

function problem(code: ErrorCode, retryAfterMs = 0): HttpResponse {
  const detail = encode("Error", { code: errorCode(code), message: code, retryAfterMs });
  const json = { code, message: code, details: [{ type: "skein.v1.Error", value: toBase64(detail).replaceAll("=", "") }] };
  return { status: 400, contentType: "application/json", body: encoder.encode(JSON.stringify(json)) };
}

function directUsers(id: string): string[] {
  const rest = id.slice(id.indexOf(":") + 1);
  const small = rest.slice(0, Number(id.slice(1, id.indexOf(":"))));
  return [small, peerOf(id, small) ?? ""];
}

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
