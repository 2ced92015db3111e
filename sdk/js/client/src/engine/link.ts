// One socket at a time, and the packets on it: frames that are said in one turn go in one packet, answers find
// by their ref what they answer.
import type { FrameEvent } from "../types/client.js";
import type { Clock } from "../types/environment.js";
import type { Socket, Transport } from "../types/transport.js";
import { type Init, decode, encode } from "../wire/codec.js";
import type { ClientFrame, Messages, ServerFrame, ServerPacket } from "../wire/schema.js";

/** What a ref stands for. */
export type Asked =
  | { readonly type: "hello" | "sync" | "refresh" | "watch" | "other" }
  | { readonly type: "send"; readonly id: string }
  | { readonly type: "read"; readonly conversation: string };

/** Makes a value for eyes out of a frame. */
export type Render = <Name extends keyof Messages>(name: Name, message: Init<Messages[Name]>) => unknown;

export interface LinkHooks {
  opened(socket: number): void;
  packet(socket: number, packet: ServerPacket): void;
  /** What came is not of the protocol. */
  garbled(socket: number, error: unknown): void;
  sent(socket: number): void;
  closed(socket: number, code: number, opened: boolean, reason: string): void;
  frame(event: FrameEvent): void;
  /** What a frame looks like to a developer. */
  readonly render: Render;
}

const maxFrames = 256;
/** Room for the tags around a frame. */
const framing = 8;
const hidden = "…";

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
    this.#asked = new Map();
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
        if (current()) this.#hooks.closed(socket, code, opened, reason);
      },
    });
  }

  close(socket: number, code: number): void {
    if (socket !== this.#number) return;
    // What was said in this turn goes before the goodbye.
    this.#flush();
    this.#number = 0;
    this.#socket?.close(code, "");
    this.#socket = undefined;
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
    const { ref: _, ...parts } = frame;
    const name = Object.entries(parts).find(([, value]) => value !== undefined)?.[0] ?? "";
    let shown = frame;
    if ("hello" in frame && frame.hello) shown = { ...frame, hello: { ...frame.hello, token: hidden } };
    if ("refreshToken" in frame && frame.refreshToken) shown = { ...frame, refreshToken: { token: hidden } };
    const { render } = this.#hooks;
    const rendered = direction === "out" ? render("ClientFrame", shown as Init<ClientFrame>) : render("ServerFrame", shown as ServerFrame);
    this.#hooks.frame({ direction, time: this.#clock.now(), name, frame: rendered });
  }
}
