// Several tabs of one browser: one of them rings aloud, and one of them is in
// the call. The browser's locks say which; where it has none, each tab is the
// only one.

/** Begins to wait for the turn to be heard; `fn` when it has come. Returns the way to end it. */
export type Aloud = (fn: () => void) => () => void;

/** What a tab that is in no call is told of one: nobody is in it here, or a tab has taken it. */
export interface Offer {
  readonly free: () => void;
  readonly taken: () => void;
}

/** Takes a call for this tab; with an offer it only looks whether any tab of this browser has it. Returns the way to end either. */
export type Keep = (call: string, offer?: Offer) => () => void;

/** How long a tab that is in no call waits for others to take it. */
const graceMs = 600;

const locksOf = (): LockManager | undefined => (navigator as Partial<Navigator>).locks;

/** The turn to ring, of all tabs of one user in this browser. */
export function aloudOf(app: string, user: string): Aloud {
  return (fn) => {
    const end = new AbortController();
    const granted = () => {
      if (end.signal.aborted) return undefined;
      fn();
      return held(end.signal);
    };
    const locks = locksOf();
    if (locks) locks.request(`skein.ring ${app} ${user}`, { signal: end.signal }, granted).catch(() => undefined);
    else queueMicrotask(() => void granted());
    return () => end.abort();
  };
}

/** Lasts until the signal says that it is over. */
function held(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve());
  });
}

/** Claims on calls. */
export const keepCall: Keep = (call, offer) => {
  const name = `skein.call ${call}`;
  const end = new AbortController();
  const locks = locksOf();
  if (!offer) {
    // Whoever looked, or was in it, has it no longer.
    locks?.request(name, { steal: true }, () => held(end.signal)).catch(() => undefined);
    return () => end.abort();
  }
  const look = async (): Promise<void> => {
    while (!end.signal.aborted) {
      let free = false;
      const granted = () => {
        if (end.signal.aborted) return undefined;
        free = true;
        offer.free();
        return held(end.signal);
      };
      // Many may look at once. The wait is over when nobody has it, and what follows when somebody takes it.
      await (locks ? locks.request(name, { mode: "shared", signal: end.signal }, granted) : granted())?.catch(() => undefined);
      if (!end.signal.aborted && free) offer.taken();
      // Refused for another reason: it is not asked again.
      if (!free) return;
    }
  };
  const timer = setTimeout(() => void look(), graceMs);
  return () => {
    clearTimeout(timer);
    end.abort();
  };
};
