// The board of the group that is open.
import type { Conversation } from "@skein/client";
import type { Announcement, Attribute, Board, Counter } from "@skein/client/board";
import { useEffect, useSyncExternalStore } from "react";
import { useClient, useConversation } from "../live/context.tsx";

/** Asks for the board of a group once it is shown, and again when one comes back to it. */
export function useBoardLoaded(conversation: Conversation): void {
  const { board } = useClient();
  const { kind, known, myRole } = useConversation(conversation);
  const member = kind === "group" && known && myRole !== undefined;
  useEffect(() => {
    if (!member) return;
    const abort = new AbortController();
    // Without a network what was heard before is shown.
    board.load(conversation, { signal: abort.signal }).catch(() => undefined);
    return () => abort.abort();
  }, [board, conversation, member]);
}

function useShelf<T>(conversation: Conversation, read: (board: Board, conversation: Conversation) => readonly T[]): readonly T[] {
  const { board } = useClient();
  return useSyncExternalStore(board.onChange, () => read(board, conversation));
}

/** Pinned ones first, then the newest. */
export const useAnnouncements = (conversation: Conversation): readonly Announcement[] => useShelf(conversation, (b, c) => b.announcements(c));
/** By name. */
export const useAttributes = (conversation: Conversation): readonly Attribute[] => useShelf(conversation, (b, c) => b.attributes(c));
/** By name. */
export const useCounters = (conversation: Conversation): readonly Counter[] => useShelf(conversation, (b, c) => b.counters(c));
