import type { Unsubscribe } from "./client.js";

/** Time, as the client sees it. Injected so that tests own it. */
export interface Clock {
  /** Milliseconds since 1970 UTC. */
  now(): number;
  /** Calls `fn` once after `ms` milliseconds, unless the returned function was called before. */
  after(ms: number, fn: () => void): Unsubscribe;
}

/** `length` random bytes of cryptographic quality: ids and jitter are made from them. */
export type Random = (length: number) => Uint8Array;

/**
 * What the surroundings tell, where they can. `online` and `visible` make a waiting client try at once, and a
 * connected one probe its connection; `offline` is only a hint. `tick` comes every few seconds while the page is
 * visible: browsers let the timers of a hidden page run once a minute, and the tab that holds the connection may be hidden.
 */
export type EnvironmentSignal = "online" | "offline" | "visible" | "tick";

/** Where such signals come from. The core has none; the package root listens to the browser's. */
export interface Environment {
  subscribe(listener: (signal: EnvironmentSignal) => void): Unsubscribe;
}
