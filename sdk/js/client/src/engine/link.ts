// One socket at a time, and the packets on it: frames that are said in one turn go in one packet, answers find
// by their ref what they answer.
import { SkeinError } from "../error.js";
import type { FrameEvent } from "../types/client.js";
import type { Clock } from "../types/environment.js";
import type { Socket, Transport } from "../types/transport.js";
import { type Init, decode, encode } from "../wire/codec.js";
import type { ClientFrame, ServerFrame, ServerPacket } from "../wire/schema.js";

/** What a ref stands for. */
export type Asked =
  | { readonly type: "hello" | "sync" | "refresh" | "watch" | "other" }
  | { readonly type: "send"; readonly id: string }
  /** A module's frame, which waits for its answer. */
  | { readonly type: "frame"; resolve(fields: Uint8Array | undefined): void; reject(error: SkeinError): void }
  | { readonly type: "read"; readonly conversation: string };

/** Makes an event for a developer's eyes out of a frame. */
export type Render = (direction: "in" | "out", frame: Init<ClientFrame> | ServerFrame, time: number) => FrameEvent;

export interface LinkHooks {
  opened(socket: number): void;
  packet(socket: number, packet: ServerPacket): void;
  /** What came is not of the protocol. */
  garbled(socket: number, error: unknown): void;
  sent(socket: number): void;
  closed(socket: number, code: number, opened: boolean, reason: string): void;
  frame(event: FrameEvent): void;
  /** What a frame looks like to a developer. */
  readonly render: Render | undefined;
}

const maxFrames = 256;
/** Room for the tags around a frame. */
const framing = 8;

export class Link {
  readonly #url: string;
  readonly #transport: Transport;
  readonly #clock: Clock;
  readonly #hooks: LinkHooks;
  #socket: Socket | undefined;
  #number = 0;
  #ref = 0;
  #asked = new Map<number, Asked>();
  #outgoing: Init<ClientFrame>[] = [];
  /** Set by the welcome. */
  maxPacketBytes = 256 * 1024;
  debug = false;

  constructor(endpoint: string, transport: Transport, clock: Clock, hooks: LinkHooks) {
    this.#url = `${endpoint.replace(/^http/, "ws")}/v1/socket`;
    this.#transport = transport;
    this.#clock = clock;
    this.#hooks = hooks;
  }

  dial(socket: number): void {
    this.#number = socket;
    this.#forget();
    this.#outgoing = [];
    let opened = false;
    const current = (): boolean => this.#number === socket;
    this.#socket = this.#transport.connect(this.#url, "skein.v1.proto", {
      open: () => {
        opened = true;
        if (current()) this.#hooks.opened(socket);
      },
      message: (data) => {
        if (current()) this.#receive(socket, data);
      },
      close: (code, reason) => {
        if (!current()) return;
        this.#forget();
        this.#hooks.closed(socket, code, opened, reason);
      },
    });
  }

  close(socket: number, code: number): void {
    if (socket !== this.#number) return;
    // What was said in this turn goes before the goodbye.
    this.#flush();
    this.#number = 0;
    this.#forget();
    this.#socket?.close(code, "");
    this.#socket = undefined;
  }

  /** What was asked on a socket that is gone has no answer. */
  #forget(): void {
    const asked = [...this.#asked.values()];
    this.#asked = new Map();
    for (const one of asked) if (one.type === "frame") one.reject(new SkeinError("unavailable", "the connection was lost before the answer"));
  }

  /** Puts a frame into the next packet. */
  say(frame: Init<ClientFrame>, asked: Asked): void {
    this.#ref = (this.#ref % 0x7fffffff) + 1;
    this.#asked.set(this.#ref, asked);
    this.#outgoing.push({ ...frame, ref: this.#ref });
    if (this.#outgoing.length === 1) queueMicrotask(() => this.#flush());
  }

  /** What a frame answers; a ref is answered once. */
  answered(ref: number): Asked | undefined {
    const asked = this.#asked.get(ref);
    this.#asked.delete(ref);
    return asked;
  }

  #flush(): void {
    const frames = this.#outgoing;
    this.#outgoing = [];
    if (!frames.length || !this.#socket || !this.#number) return;
    let packet: Init<ClientFrame>[] = [];
    let bytes = 0;
    const send = (): void => {
      if (packet.length) this.#socket?.send(encode("ClientPacket", { frames: packet }));
      packet = [];
      bytes = 0;
    };
    for (const frame of frames) {
      const size = encode("ClientFrame", frame).length + framing;
      if (packet.length >= maxFrames || bytes + size > this.maxPacketBytes) send();
      packet.push(frame);
      bytes += size;
      if (this.debug) this.#show("out", frame);
    }
    send();
    this.#hooks.sent(this.#number);
  }

  #receive(socket: number, data: Uint8Array): void {
    let packet: ServerPacket;
    try {
      packet = decode("ServerPacket", data);
    } catch (error) {
      this.#hooks.garbled(socket, error);
      return;
    }
    if (this.debug) for (const frame of packet.frames) this.#show("in", frame);
    this.#hooks.packet(socket, packet);
  }

  #show(direction: "in" | "out", frame: Init<ClientFrame> | ServerFrame): void {
    const event = this.#hooks.render?.(direction, frame, this.#clock.now());
    if (event) this.#hooks.frame(event);
  }
}
