// Which messages that burn after reading have been uncovered on this page. One
// that is covered has not been read, and nothing behind it is marked as read.
import type { Message } from "@skein/client";
import { useSyncExternalStore } from "react";

const uncovered = new Map<string, number>();
const listeners = new Set<() => void>();

/** Hears when a message is uncovered. */
export function onUncover(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Uncovers a message: from now on it can be read, and burns. */
export function uncover(key: string): void {
  if (!uncovered.has(key)) uncovered.set(key, Date.now());
  for (const listener of [...listeners]) listener();
}

/** When a message was uncovered; undefined = it is covered. */
export function useUncovered(key: string): number | undefined {
  return useSyncExternalStore(onUncover, () => uncovered.get(key));
}

/** The first message behind a position that is still covered. */
export function firstCovered(messages: readonly Message[], readSeq: number): number | undefined {
  return messages.find((m) => m.seq !== undefined && m.seq > readSeq && !m.mine && m.delivery?.burnAfterS && !m.delivery.expired && !m.recalled && !uncovered.has(m.key))
    ?.seq;
}
