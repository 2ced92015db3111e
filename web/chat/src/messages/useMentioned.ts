// Whether something unread in a conversation calls this user, for the "@" in the list.
import type { Conversation, ConversationSnapshot } from "@skein/client";
import { useEffect, useState } from "react";
import { useClient } from "../live/context.tsx";

/** Further back nobody looks for a mention: the count tells that there is much to read. */
const most = 100;

/** True while an unread message mentions the user. What lies in the store is looked through; the server is asked only for what is missing there. */
export function useMentioned(conversation: Conversation, { kind, unread, readSeq, head }: ConversationSnapshot): boolean {
  const client = useClient();
  const [found, setFound] = useState<{ readonly seq: number; readonly upTo: number }>();
  const group = kind === "group" && unread > 0;

  useEffect(() => {
    if (!group) return;
    const abort = new AbortController();
    const look = async () => {
      let seen = 0;
      for await (const page of conversation.history({ limit: 50, signal: abort.signal })) {
        const hit = page.findLast((message) => message.seq !== undefined && message.seq > readSeq && client.messages.mentionsMe(message));
        if (abort.signal.aborted) return;
        setFound({ seq: hit?.seq ?? 0, upTo: head.seq });
        seen += page.length;
        if (hit || seen >= most || (page[0]?.seq ?? 0) <= readSeq + 1) return;
      }
    };
    // Offline, and not in the store: it shows without the sign.
    look().catch(() => undefined);
    return () => abort.abort();
  }, [client, conversation, group, unread, readSeq, head.seq]);

  return group && found !== undefined && found.seq > readSeq;
}
