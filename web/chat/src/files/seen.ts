// Small pictures that were seen are kept by the service worker, for a time
// without a network. They go with whoever saw them.

/** The name that the service worker keeps them under. */
const name = "skein-seen";

/** Deletes all of them from this browser. */
export async function forgetSeen(): Promise<void> {
  // A page that came over plain HTTP has no such cache.
  if ("caches" in globalThis) await caches.delete(name);
}

/** The address under which the service worker finds one while there is no key to ask the server with. */
export function seenUrl(conversation: string, seq: number, file: string, size: "s" | "m" | "l"): string {
  return `/v1/files/${file}?${new URLSearchParams({ c: conversation, s: String(seq), t: size })}`;
}
