import type { SkeinError } from "./error.js";

/** A promise, and how it is kept or broken. */
export interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(error: unknown): void;
}

export function deferred<T>(): Deferred<T> {
  let resolve: Deferred<T>["resolve"] = () => undefined;
  let reject: Deferred<T>["reject"] = () => undefined;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}

/** Those who wait for the fate of an outbox item, its seq or why it failed: the promises of `send`, `edit` and the like, by the id of their item. */
export class Waiters {
  readonly #byId = new Map<string, Deferred<number>>();

  get ids(): readonly string[] {
    return [...this.#byId.keys()];
  }

  wait(id: string): Promise<number> {
    let waiter = this.#byId.get(id);
    if (!waiter) this.#byId.set(id, (waiter = deferred()));
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
