// Several tabs of one browser: one of them rings aloud, and one of them is in
// the call. The browser's locks say which; where it has none, each tab is the
// only one.

/** Begins to wait for the turn to be heard; `fn` when it has come. Returns the way to end it. */
export type Aloud = (fn: () => void) => () => void;

/**
 * Claims a call for this tab. With `fn` it waits a moment first, so that a tab that is in the call claims it before, and
 * then calls `fn` once no tab holds it. Returns the way to give it up.
 */
export type Keep = (call: string, fn?: () => void) => () => void;

/** How long a tab that is in no call waits for others to claim it. */
const graceMs = 600;

function hold(name: string, granted: () => void): () => void {
  const end = new AbortController();
  const { locks } = navigator as Partial<Navigator>;
  if (!locks) {
    queueMicrotask(() => {
      if (!end.signal.aborted) granted();
    });
    return () => end.abort();
  }
  const held = () => {
    if (end.signal.aborted) return undefined;
    granted();
    return new Promise<void>((resolve) => end.signal.addEventListener("abort", () => resolve()));
  };
  // Aborting ends the wait as well as, by `held`, the lock.
  locks.request(name, { signal: end.signal }, held).catch(() => undefined);
  return () => end.abort();
}

/** The turn to ring, of all tabs of one user in this browser. */
export function aloudOf(app: string, user: string): Aloud {
  return (fn) => hold(`skein.ring ${app} ${user}`, fn);
}

/** Claims on calls. */
export const keepCall: Keep = (call, fn) => {
  const name = `skein.call ${call}`;
  if (!fn) return hold(name, () => undefined);
  let stop: (() => void) | undefined;
  const timer = setTimeout(() => (stop = hold(name, fn)), graceMs);
  return () => {
    clearTimeout(timer);
    stop?.();
  };
};
