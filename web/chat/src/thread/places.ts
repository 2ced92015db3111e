// Where one was in each conversation, for coming back to the same place. Kept
// as long as the page; a reload begins at the newest message.
import type { Conversation } from "@skein/client";
import type { SavedPlace } from "./scroller.ts";

const places = new WeakMap<Conversation, SavedPlace>();

/** Keeps a place. */
export function keepPlace(conversation: Conversation, place: SavedPlace): void {
  places.set(conversation, place);
}

/** The place that was kept, undefined for none. */
export function keptPlace(conversation: Conversation): SavedPlace | undefined {
  return places.get(conversation);
}
