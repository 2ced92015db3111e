// A network that can be held and cut: what a page sends goes through it to the server.
import { connect, createServer, type AddressInfo, type Server as Listener, type Socket } from "node:net";

/** A way to a server. */
export class Relay {
  readonly url: string;
  /** How many bytes came from the page and went on. */
  passed = 0;
  readonly #listener: Listener;
  readonly #to: URL;
  readonly #sockets = new Set<Socket>();
  #limit = Infinity;
  #waiting: (() => void)[] = [];

  private constructor(listener: Listener, to: URL) {
    this.#listener = listener;
    this.#to = to;
    this.url = `http://127.0.0.1:${(listener.address() as AddressInfo).port}`;
    listener.on("connection", (socket) => this.#carry(socket));
  }

  static async open(to: string): Promise<Relay> {
    const listener = createServer();
    await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
    return new Relay(listener, new URL(to));
  }

  #carry(page: Socket): void {
    const server = connect(Number(this.#to.port), this.#to.hostname);
    for (const [from, to] of [
      [page, server],
      [server, page],
    ] as const) {
      this.#sockets.add(from);
      from.on("error", () => to.destroy());
      from.on("close", () => {
        this.#sockets.delete(from);
        to.destroy();
      });
    }
    server.pipe(page);
    page.on("data", (bytes) => {
      this.passed += bytes.length;
      if (!server.write(bytes)) {
        page.pause();
        server.once("drain", () => page.resume());
      }
      if (this.passed >= this.#limit) {
        page.pause();
        for (const reached of this.#waiting.splice(0)) reached();
      }
    });
  }

  /** Lets bytes through until so many have passed, all together, and waits for that. */
  async until(bytes: number): Promise<void> {
    this.#limit = bytes;
    this.#go();
    if (this.passed < bytes) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Lets everything through. */
  open(): void {
    this.#limit = Infinity;
    this.#go();
  }

  #go(): void {
    for (const socket of this.#sockets) socket.resume();
  }

  /** Breaks every connection. */
  cut(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#listener.close(resolve));
  }
}
