import type { Unsubscribe } from "./types/client.js";

/** Calls what listens, each in its own right: one that throws does not keep the others from hearing. */
export class Emitter<Events> {
  readonly #listeners = new Map<keyof Events, Set<(event: never) => void>>();

  on<Name extends keyof Events>(name: Name, listener: (event: Events[Name]) => void): Unsubscribe {
    // A wrapper of its own, so that the same function can listen twice and be ended once.
    const own = (event: Events[Name]): void => listener(event);
    let set = this.#listeners.get(name);
    if (!set) this.#listeners.set(name, (set = new Set()));
    set.add(own);
    return () => set.delete(own);
  }

  emit<Name extends keyof Events>(name: Name, event: Events[Name]): void {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) {
      try {
        (listener as (event: Events[Name]) => void)(event);
      } catch (error) {
        // An app's mistake must show as what it is, and not end the connection.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
