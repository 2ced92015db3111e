// Reading: what is seen while somebody looks at the page has been read.
import type { Conversation, Message } from "@skein/client";
import { useCallback, useEffect, useRef, useSyncExternalStore } from "react";
import { useClient } from "../live/context.tsx";
import { firstCovered, onUncover } from "../timed/covered.ts";
import { useToasts } from "../ui/Toasts.tsx";

function subscribe(listener: () => void): () => void {
  window.addEventListener("focus", listener);
  window.addEventListener("blur", listener);
  document.addEventListener("visibilitychange", listener);
  return () => {
    window.removeEventListener("focus", listener);
    window.removeEventListener("blur", listener);
    document.removeEventListener("visibilitychange", listener);
  };
}

/** Whether somebody looks at this page: it is visible and has the focus. */
export function useAttention(): boolean {
  return useSyncExternalStore(subscribe, () => document.visibilityState === "visible" && document.hasFocus());
}

/** Opening a conversation is reading it, be it marked as unread by hand. */
export function useOpenedIsRead(conversation: Conversation): void {
  const { conversations } = useClient();
  const { fail } = useToasts();
  useEffect(() => {
    if (conversations.of(conversation).markedUnread) conversations.markRead(conversation).catch(fail);
  }, [conversations, conversation, fail]);
}

/**
 * Moves the read marker to what is seen. Returns the function that takes the
 * newest seen message; with `atEnd` everything has been seen.
 */
export function useReading(conversation: Conversation): (last: Message | undefined, atEnd: boolean) => void {
  const attention = useAttention();
  const seen = useRef<{ last: Message | undefined; atEnd: boolean }>({ last: undefined, atEnd: false });

  const tell = useCallback(() => {
    const { last, atEnd } = seen.current;
    const { snapshot } = conversation;
    if (!snapshot.window.opened || (snapshot.kind === "group" && snapshot.myRole === undefined)) return;
    const covered = firstCovered(snapshot.messages, snapshot.readSeq);
    if (covered !== undefined) {
      const upTo = Math.min(atEnd ? covered : (last?.seq ?? 0), covered - 1);
      if (upTo > snapshot.readSeq) conversation.read(upTo);
    } else if (atEnd && snapshot.window.atEnd) {
      if (snapshot.unread > 0 || snapshot.readSeq < snapshot.head.seq) conversation.read();
    } else if (last?.seq !== undefined && last.seq > snapshot.readSeq) conversation.read(last);
  }, [conversation]);

  useEffect(() => {
    if (!attention) return;
    tell();
    return onUncover(tell);
  }, [attention, tell]);

  return useCallback(
    (last, atEnd) => {
      seen.current = { last, atEnd };
      if (attention) tell();
    },
    [attention, tell],
  );
}
