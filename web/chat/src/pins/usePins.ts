// What is pinned in the conversation that is open.
import type { Conversation, ConversationSnapshot, Message } from "@skein/client";
import type { Pinned } from "@skein/client/threads";
import { useCallback, useEffect, useState, useSyncExternalStore } from "react";
import type { AppClient } from "../live/client.ts";
import { useClient } from "../live/context.tsx";
import { indexOfSeq } from "../thread/grouping.ts";

/** One pin as far as it is known. */
export interface Pin {
  readonly seq: number;
  /** undefined while it is being loaded, or without a network. */
  readonly message: Message | undefined;
  /** Who pinned it and when; undefined with the same reasons. */
  readonly pinned: Pinned | undefined;
}

/** Whether the user may pin in a conversation, and take pins down. */
export function mayPin({ groups }: AppClient, conversation: Conversation, { kind, myRole }: ConversationSnapshot): boolean {
  return kind !== "group" || (myRole !== undefined && groups.may(conversation, "pin"));
}

/** Whether a message is one that can be pinned: not what is for some, or was recalled. */
export function pinnable({ state, kind, recalled, delivery }: Message): boolean {
  const shown = kind === "text" || kind === "custom" || kind === "content";
  return state === "sent" && shown && !recalled && !delivery?.expired && !delivery?.toUsers.length;
}

/** The pins, the newest first, kept as they are on the server. */
export function usePins(conversation: Conversation, { messages }: ConversationSnapshot): readonly Pin[] {
  const { threads } = useClient();
  const subscribe = useCallback((changed: () => void) => threads.onChange((id) => id === conversation.id && changed()), [threads, conversation]);
  const seqs = useSyncExternalStore(subscribe, () => threads.pinned(conversation));
  const [loaded, setLoaded] = useState<{ readonly of: readonly number[]; readonly pins: readonly Pinned[] }>();
  useEffect(() => {
    if (seqs.length === 0) return;
    const abort = new AbortController();
    // Without a network the bar counts them, and shows what is in the window.
    threads.pins(conversation, { signal: abort.signal }).then(
      (pins) => setLoaded({ of: seqs, pins }),
      () => undefined,
    );
    return () => abort.abort();
  }, [threads, conversation, seqs]);
  return seqs.flatMap((seq) => {
    const pinned = loaded?.pins.find((one) => one.message.seq === seq);
    // What the server does not list was recalled, has expired, or is older than what one may read.
    if (loaded?.of === seqs && !pinned) return [];
    const message = messages[indexOfSeq(messages, seq)] ?? pinned?.message;
    return message?.recalled || message?.delivery?.expired ? [] : { seq, message, pinned };
  });
}
