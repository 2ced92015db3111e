// A network between clients and the SFU: it stands on 127.0.0.2, at the port
// that the SFU has on 127.0.0.1, and loses, delays and throttles what passes.
import { createSocket, type Socket } from "node:dgram";

export interface Conditions {
  /** Share of packets that are lost, each way, 0 to 1. */
  loss: number;
  /** One way, ms. */
  delay: number;
  /** To the client, bits a second; a queue of 300 ms stands before it. */
  rate: number;
}

export const good: Conditions = { loss: 0, delay: 0, rate: Infinity };

export class Relay {
  conditions: Conditions = good;
  #clients = new Map<string, { up: Socket; free: number }>();
  #down: Socket;
  #stopped = false;

  private constructor(down: Socket, readonly port: number) {
    this.#down = down;
  }

  static async start(port: number): Promise<Relay> {
    const down = createSocket({ type: "udp4", recvBufferSize: 1 << 21, sendBufferSize: 1 << 21 });
    await new Promise<void>((resolve, reject) => {
      down.once("error", reject);
      down.bind(port, "127.0.0.2", resolve);
    });
    const relay = new Relay(down, port);
    down.on("message", (b, from) => relay.#toServer(b, from.address, from.port));
    return relay;
  }

  #toServer(b: Buffer, address: string, port: number): void {
    const name = `${address}:${port}`;
    let c = this.#clients.get(name);
    if (c === undefined) {
      const up = createSocket({ type: "udp4", recvBufferSize: 1 << 21 });
      const fresh = { up, free: 0 };
      up.bind(0, "127.0.0.1");
      up.on("message", (x) => this.#toClient(fresh, x, address, port));
      this.#clients.set(name, (c = fresh));
    }
    if (Math.random() < this.conditions.loss) return;
    const { up } = c;
    const send = () => { if (!this.#stopped) up.send(b, this.port, "127.0.0.1"); };
    if (this.conditions.delay > 0) setTimeout(send, this.conditions.delay);
    else send();
  }

  #toClient(c: { free: number }, b: Buffer, address: string, port: number): void {
    const { loss, delay, rate } = this.conditions;
    if (Math.random() < loss) return;
    const now = performance.now();
    let wait = delay;
    if (rate !== Infinity) {
      const start = Math.max(now, c.free);
      if (start - now > 300) return;
      c.free = start + (b.length * 8000) / rate;
      wait += c.free - now;
    }
    const send = () => { if (!this.#stopped) this.#down.send(b, port, address); };
    if (wait > 0.5) setTimeout(send, wait);
    else send();
  }

  stop(): void {
    this.#stopped = true; // what is still on the way goes nowhere
    this.#down.close();
    for (const c of this.#clients.values()) c.up.close();
  }
}
