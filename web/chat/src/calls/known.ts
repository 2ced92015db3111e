// That a server has calls is kept for a day: to find it out costs a request
// that fails, which browsers write into their console.

const dayMs = 86_400_000;

/** What is kept of one app, in this browser. */
export function knownOf(storage: Pick<Storage, "getItem" | "setItem" | "removeItem"> | undefined, app: string, now: () => number = Date.now): { read(): boolean; write(available: boolean): void } {
  const key = `skein.web.calls.available ${app}`;
  return {
    read: () => {
      try {
        const age = now() - Number(storage?.getItem(key) ?? Number.NaN);
        return age >= 0 && age < dayMs;
      } catch {
        return false;
      }
    },
    write: (available) => {
      try {
        if (available) storage?.setItem(key, String(now()));
        else storage?.removeItem(key);
      } catch {
        // Full or forbidden: it is asked again.
      }
    },
  };
}
