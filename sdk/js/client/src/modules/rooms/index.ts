/**
 * Livestream rooms: `createClient({ …, modules: { rooms: rooms() } })` gives `client.rooms`.
 *
 * What is said in a livestream is never stored, and may be left out when too much is said at once.
 *
 * @packageDocumentation
 */
import { SkeinError } from "../../error.js";
import { type CallOptions, type Module, type ModuleHost, type Unsubscribe, defineModule } from "../../module.js";
import { calls, clientFrameFields, roomEndNames, serverFrameFields } from "./wire.js";
import type { RoomMessage as WireMessage, RoomState as WireState } from "./wire.js";

/** Something that was said in a livestream. */
export interface RoomMessage {
  /** Made by the sender's client: what `say` returned of an own one. */
  readonly id: string;
  readonly user: string;
  /** The server's, milliseconds since 1970 UTC. */
  readonly time: number;
  readonly text: string;
  /** Instead of `text`, of the app's own kind. */
  readonly custom: { readonly type: string; readonly data: Uint8Array; readonly summary: string } | undefined;
  /** Whoever looks after the room has put it before others. */
  readonly high: boolean;
}

/** How a livestream is for this client. A new object whenever something changes. */
export interface RoomSnapshot {
  /** Sessions that watch, on all nodes. */
  readonly viewers: number;
  /** How many have come since `join`. */
  readonly joined: number;
  /** How many messages were said since `join` that were not shown here. */
  readonly dropped: number;
  /** Until when the user may not write, milliseconds since 1970 UTC; 0 = they may. */
  readonly mutedUntil: number;
  /** Nothing more comes: somebody took the user out, or the room was closed. */
  readonly ended: "removed" | "closed" | undefined;
  /** The newest messages, oldest first, at most `keep` (200). */
  readonly messages: readonly RoomMessage[];
}

/** A livestream that is watched. After the connection was lost it is joined again by itself. */
export interface Room {
  /** The conversation's id. */
  readonly id: string;
  snapshot(): RoomSnapshot;
  subscribe(listener: () => void): Unsubscribe;
  /** Each message as it comes, the own ones included. */
  onMessage(listener: (message: RoomMessage) => void): Unsubscribe;
  /** Resolves with the message's id when the server has passed it on: `permission_denied` while muted, `rate_limited` above 2 a second. */
  say(text: string, options?: CallOptions): Promise<string>;
  /** Something of the app's own kind, such as a gift. `high` goes first; heeded of those who look after the room. */
  sayCustom(custom: { readonly type: string; readonly data: Uint8Array; readonly summary?: string | undefined }, options?: CallOptions & { readonly high?: boolean | undefined }): Promise<string>;
  /** Keeps a viewer from writing for some seconds; 0 ends it. Grant: mute. */
  mute(user: string, seconds: number, options?: CallOptions): Promise<void>;
  /** Takes a viewer out and keeps them out for some seconds; 0 lets them in again. Grant: remove members. */
  remove(user: string, seconds: number, options?: CallOptions): Promise<void>;
  /** Who joined it twice leaves it twice: it is watched until the last has left. */
  leave(): Promise<void>;
}

/** What `client.rooms` offers. */
export interface Rooms {
  /** Begins to watch: `not_found`, `permission_denied` (removed for a time), `failed_precondition` (a group, but no livestream). */
  join(conversation: string, options?: CallOptions & { readonly keep?: number | undefined }): Promise<Room>;
  /** How many watch, without watching. */
  viewers(conversation: string, options?: CallOptions): Promise<number>;
}

const high = 1;

function hex(id: Uint8Array): string {
  return Array.from(id, (b) => b.toString(16).padStart(2, "0")).join("");
}

class RoomOfHost implements Room {
  readonly id: string;
  readonly #host: ModuleHost;
  readonly #keep: number;
  readonly #gone: (room: RoomOfHost) => void;
  readonly #listeners = new Set<() => void>();
  readonly #heard = new Set<(message: RoomMessage) => void>();
  #holders = 0;
  #joined: Promise<void> | undefined;
  #now: RoomSnapshot = { viewers: 0, joined: 0, dropped: 0, mutedUntil: 0, ended: undefined, messages: [] };

  constructor(host: ModuleHost, id: string, keep: number, gone: (room: RoomOfHost) => void) {
    this.#host = host;
    this.id = id;
    this.#keep = keep;
    this.#gone = gone;
  }

  snapshot(): RoomSnapshot {
    return this.#now;
  }

  subscribe(listener: () => void): Unsubscribe {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  onMessage(listener: (message: RoomMessage) => void): Unsubscribe {
    this.#heard.add(listener);
    return () => void this.#heard.delete(listener);
  }

  /** Joins it, or waits until who came first has. */
  async hold(options: CallOptions): Promise<void> {
    this.#holders++;
    try {
      await (this.#joined ??= this.join(options));
    } catch (error) {
      this.#joined = undefined;
      if (--this.#holders === 0) this.#gone(this);
      throw error;
    }
  }

  async join(options?: CallOptions): Promise<void> {
    const answer = await this.#host.ask(clientFrameFields.write({ joinRoom: { conversation: this.id } }), options);
    const state = answer && serverFrameFields.read(answer).roomState;
    if (state) this.told(state);
  }

  say(text: string, options?: CallOptions): Promise<string> {
    return this.#say({ text: { text } }, 0, options);
  }

  sayCustom(
    { type, data, summary = "" }: { readonly type: string; readonly data: Uint8Array; readonly summary?: string | undefined },
    options: CallOptions & { readonly high?: boolean | undefined } = {},
  ): Promise<string> {
    return this.#say({ custom: { type, data, summary } }, options.high ? high : 0, options);
  }

  async #say(content: object, priority: number, options?: CallOptions): Promise<string> {
    const clientId = this.#host.newClientId();
    await this.#host.ask(
      clientFrameFields.write({ roomMessage: { conversation: this.id, clientId, body: { scheme: 1, content }, priority } }),
      options,
    );
    return hex(clientId);
  }

  async mute(user: string, seconds: number, options?: CallOptions): Promise<void> {
    await this.#host.call(calls.MuteViewer, { conversation: this.id, user, seconds, clientId: this.#host.newClientId() }, options);
  }

  async remove(user: string, seconds: number, options?: CallOptions): Promise<void> {
    await this.#host.call(calls.RemoveViewer, { conversation: this.id, user, seconds, clientId: this.#host.newClientId() }, options);
  }

  async leave(): Promise<void> {
    if (--this.#holders > 0) return;
    this.#gone(this);
    if (this.#now.ended || this.#host.state !== "online") return;
    await this.#host.ask(clientFrameFields.write({ leaveRoom: { conversation: this.id } }));
  }

  /** Takes the room's state, in answer to a join or as news. */
  told({ viewers, joined, dropped, ended, mutedUntilUs }: WireState): void {
    const now = this.#now;
    const why = roomEndNames[ended];
    const until = Math.floor(mutedUntilUs / 1000);
    this.#set({
      ...now,
      viewers,
      joined: now.joined + joined,
      dropped: now.dropped + dropped,
      mutedUntil: mutedUntilUs === 0 ? now.mutedUntil : until > this.#host.now() ? until : 0,
      ended: why === "removed" || why === "closed" ? why : undefined,
    });
    if (this.#now.ended) this.#gone(this);
  }

  /** It is not open to the user any more. */
  closed(): void {
    this.#set({ ...this.#now, ended: "closed" });
    this.#gone(this);
  }

  heard({ clientId, user, timeUs, body, priority }: WireMessage): void {
    const { text, custom } = body?.content ?? {};
    const message: RoomMessage = {
      id: hex(clientId),
      user,
      time: Math.floor(timeUs / 1000),
      text: text?.text ?? "",
      custom: custom && { type: custom.type, data: custom.data, summary: custom.summary },
      high: priority === high,
    };
    this.#set({ ...this.#now, messages: [...this.#now.messages, message].slice(-this.#keep) });
    for (const listener of this.#heard) listener(message);
  }

  #set(next: RoomSnapshot): void {
    this.#now = next;
    for (const listener of this.#listeners) listener();
  }
}

/** Makes `client.rooms`. */
export const rooms = (): Module<Rooms> => defineModule(makeRooms);

function makeRooms(host: ModuleHost): Rooms {
  const watched = new Map<string, RoomOfHost>();
  const gone = (room: RoomOfHost): void => {
    if (watched.get(room.id) === room) watched.delete(room.id);
  };
  host.onFrame((fields) => {
    const { roomMessage, roomState } = serverFrameFields.read(fields);
    if (roomMessage) watched.get(roomMessage.conversation)?.heard(roomMessage);
    if (roomState) watched.get(roomState.conversation)?.told(roomState);
  });
  host.on("state", ({ state }) => {
    if (state !== "online") return;
    for (const room of [...watched.values()])
      room.join().catch((error: unknown) => {
        if (error instanceof SkeinError && error.code !== "unavailable") room.closed();
      });
  });
  return {
    async join(conversation, { keep = 200, signal } = {}) {
      const room = watched.get(conversation) ?? new RoomOfHost(host, conversation, keep, gone);
      watched.set(conversation, room);
      await room.hold({ signal });
      return room;
    },
    async viewers(conversation, options) {
      return (await host.call(calls.GetRoom, { conversation }, options)).viewers;
    },
  };
}
