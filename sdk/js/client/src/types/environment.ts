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
 * What the surroundings tell about the network, where they can. `online` and `visible` make a waiting
 * client try at once, and a connected one probe its connection; `offline` is only a hint.
 */
export type EnvironmentSignal = "online" | "offline" | "visible";

/** Where such signals come from. The core has none; the package root listens to the browser's. */
export interface Environment {
  subscribe(listener: (signal: EnvironmentSignal) => void): Unsubscribe;
}
