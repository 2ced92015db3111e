// Where one is: in the list, or in a conversation. It lives in the address's
// fragment, so that the back button works, a link leads to a chat, and the
// server has one page only.
import { useSyncExternalStore } from "react";

/** The place that an address names. */
export type Route =
  | { readonly at: "list" }
  | { readonly at: "chat"; readonly id: string }
  /** The link of an invitation. */
  | { readonly at: "join"; readonly code: string }
  /** The sign-in of another device. */
  | { readonly at: "link"; readonly code: string };

/** Reads a fragment such as "#/c/%405%3Aalice%3Abob". */
export function parseRoute(hash: string): Route {
  const code = /^#\/join\/([A-Za-z0-9_-]{1,64})$/.exec(hash)?.[1];
  if (code) return { at: "join", code };
  const link = /^#\/link\/([A-Za-z0-9_-]{1,64})$/.exec(hash)?.[1];
  if (link) return { at: "link", code: link };
  const match = /^#\/c\/(.+)$/.exec(hash);
  if (!match?.[1]) return { at: "list" };
  try {
    return { at: "chat", id: decodeURIComponent(match[1]) };
  } catch {
    return { at: "list" };
  }
}

/** The fragment of a place. */
export function formatRoute(route: Route): string {
  if (route.at === "link") return `#/link/${route.code}`;
  if (route.at === "join") return `#/join/${route.code}`;
  return route.at === "list" ? "#/" : `#/c/${encodeURIComponent(route.id)}`;
}

const changed = "skein:route";

/**
 * Goes somewhere. From a chat to another one replaces the address, so that
 * going back leads to the list, as on a phone's other apps.
 */
export function go(route: Route): void {
  const here = parseRoute(location.hash);
  const hash = formatRoute(route);
  if (formatRoute(here) === hash) return;
  if (route.at === "list") {
    // Our own list is behind us when the chat was opened from it.
    if ((history.state as { fromList?: boolean } | null)?.fromList) history.back();
    else history.replaceState(null, "", hash);
  } else if (here.at === "list") history.pushState({ fromList: true }, "", hash);
  else history.replaceState(history.state, "", hash);
  window.dispatchEvent(new Event(changed));
}

function subscribe(listener: () => void): () => void {
  for (const name of ["popstate", "hashchange", changed]) window.addEventListener(name, listener);
  return () => {
    for (const name of ["popstate", "hashchange", changed]) window.removeEventListener(name, listener);
  };
}

/** The place where one is; draws again when it changes. */
export function useRoute(): Route {
  const hash = useSyncExternalStore(subscribe, () => location.hash);
  return parseRoute(hash);
}
