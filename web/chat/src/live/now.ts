// The current time for what shows it: one timer for all that want the same
// rhythm, and none while nobody does.
import { useSyncExternalStore } from "react";

class Ticker {
  readonly #ms: number;
  readonly #listeners = new Set<() => void>();
  #timer: ReturnType<typeof setInterval> | undefined;
  #now = Date.now();

  constructor(ms: number) {
    this.#ms = ms;
  }

  readonly get = (): number => this.#now;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    if (this.#timer === undefined) {
      this.#now = Date.now();
      this.#timer = setInterval(() => {
        this.#now = Date.now();
        for (const each of this.#listeners) each();
      }, this.#ms);
    }
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size > 0) return;
      clearInterval(this.#timer);
      this.#timer = undefined;
    };
  };
}

const tickers = { second: new Ticker(1000), minute: new Ticker(30_000) };

/** The current time, milliseconds since 1970 UTC, renewed each second or each half minute. */
export function useNow(rhythm: keyof typeof tickers): number {
  const ticker = tickers[rhythm];
  return useSyncExternalStore(ticker.subscribe, ticker.get);
}
