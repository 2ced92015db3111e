import type { SkeinError } from "./error.js";

/** Somebody who waits for the fate of an outbox item: its seq, or why it failed. */
interface Waiter {
  readonly promise: Promise<number>;
  resolve(seq: number): void;
  reject(error: SkeinError): void;
}

/** The promises of `send`, `edit` and the like, by the id of their item. */
export class Waiters {
  readonly #byId = new Map<string, Waiter>();

  get ids(): readonly string[] {
    return [...this.#byId.keys()];
  }

  wait(id: string): Promise<number> {
    let waiter = this.#byId.get(id);
    if (!waiter) {
      let resolve: Waiter["resolve"] = () => undefined;
      let reject: Waiter["reject"] = () => undefined;
      const promise = new Promise<number>((yes, no) => {
        resolve = yes;
        reject = no;
      });
      waiter = { promise, resolve, reject };
      this.#byId.set(id, waiter);
    }
    return waiter.promise;
  }

  sent(id: string, seq: number): void {
    this.#byId.get(id)?.resolve(seq);
    this.#byId.delete(id);
  }

  failed(id: string, error: SkeinError): void {
    this.#byId.get(id)?.reject(error);
    this.#byId.delete(id);
  }

  /** The item goes on under another id. */
  renamed(id: string, to: string): void {
    const waiter = this.#byId.get(id);
    if (!waiter) return;
    this.#byId.delete(id);
    this.#byId.set(to, waiter);
  }

  failAll(error: SkeinError): void {
    for (const id of this.ids) this.failed(id, error);
  }
}
