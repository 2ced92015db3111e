// Where one is: in the list, or in a conversation. It lives in the address's
// fragment, so that the back button works, a link leads to a chat, and the
// server has one page only.
import { useSyncExternalStore } from "react";

/** The place that an address names. */
export type Route =
  | { readonly at: "list" }
  /** A conversation; with a root's seq its thread is open too. */
  | { readonly at: "chat"; readonly id: string; readonly thread?: number }
  /** A livestream, which one need not be a member of. */
  | { readonly at: "live"; readonly id: string }
  /** The link of an invitation. */
  | { readonly at: "join"; readonly code: string }
  /** The sign-in of another device. */
  | { readonly at: "link"; readonly code: string };

/** Reads a fragment such as "#/c/%405%3Aalice%3Abob", or "#/c/g1/thread/17". */
export function parseRoute(hash: string): Route {
  const code = /^#\/join\/([A-Za-z0-9_-]{1,64})$/.exec(hash)?.[1];
  if (code) return { at: "join", code };
  const link = /^#\/link\/([A-Za-z0-9_-]{1,64})$/.exec(hash)?.[1];
  if (link) return { at: "link", code: link };
  const live = /^#\/live\/(.+)$/.exec(hash)?.[1];
  const match = /^#\/c\/(.+?)(?:\/thread\/([1-9]\d{0,14}))?$/.exec(hash);
  try {
    if (live) return { at: "live", id: decodeURIComponent(live) };
    if (!match?.[1]) return { at: "list" };
    const id = decodeURIComponent(match[1]);
    return match[2] ? { at: "chat", id, thread: Number(match[2]) } : { at: "chat", id };
  } catch {
    return { at: "list" };
  }
}

/** The fragment of a place. */
export function formatRoute(route: Route): string {
  if (route.at === "link") return `#/link/${route.code}`;
  if (route.at === "join") return `#/join/${route.code}`;
  if (route.at === "list") return "#/";
  if (route.at === "live") return `#/live/${encodeURIComponent(route.id)}`;
  return `#/c/${encodeURIComponent(route.id)}${route.thread === undefined ? "" : `/thread/${route.thread}`}`;
}

const changed = "skein:route";

/** What lies behind a place: our own list, and the conversation whose thread it is. */
interface Behind {
  readonly fromList?: boolean;
  readonly fromChat?: boolean;
}

/**
 * Goes somewhere. From a chat to another one replaces the address, so that
 * going back leads to the list, as on a phone's other apps; from a thread
 * that was opened in its chat it leads to that chat.
 */
export function go(route: Route): void {
  const here = parseRoute(location.hash);
  const hash = formatRoute(route);
  if (formatRoute(here) === hash) return;
  const behind = (history.state ?? {}) as Behind;
  const within = here.at === "chat" && route.at === "chat" && here.id === route.id;
  if (route.at === "list") {
    if (behind.fromList) history.go(behind.fromChat ? -2 : -1);
    else history.replaceState(null, "", hash);
  } else if (here.at === "list") history.pushState({ fromList: true }, "", hash);
  else if (within && here.thread === undefined) history.pushState({ ...behind, fromChat: true }, "", hash);
  else if (within && route.thread === undefined && behind.fromChat) history.back();
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
