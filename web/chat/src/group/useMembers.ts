// The members of a conversation with their roles, read when the panel opens
// and again when somebody comes, goes, or changes role.
import type { Conversation, ConversationSnapshot, Member } from "@skein/client";
import { useCallback, useEffect, useState } from "react";
import { useClient } from "../live/context.tsx";

const order: Record<Member["role"], number> = { owner: 0, admin: 1, member: 2 };
const most = 1000;

/** What is known of the members: owner first, then admins, then members. */
export interface Members {
  /** undefined while nothing is known. */
  readonly list: readonly Member[] | undefined;
  /** Why the last time of asking failed. */
  readonly error: unknown;
  readonly again: () => void;
}

/** The members of a group. */
export function useMembers(conversation: Conversation, snapshot: ConversationSnapshot): Members {
  const client = useClient();
  const [members, setMembers] = useState<readonly Member[]>();
  const [error, setError] = useState<unknown>();
  const [version, setVersion] = useState(0);
  const group = snapshot.kind === "group" && snapshot.myRole !== undefined;

  useEffect(
    () =>
      client.on("message", ({ conversation: where, message }) => {
        if (where === conversation && message.kind === "members") setVersion((v) => v + 1);
      }),
    [client, conversation],
  );
  useEffect(() => {
    if (!group) return;
    const abort = new AbortController();
    const load = async () => {
      const all: Member[] = [];
      for await (const page of conversation.members({ signal: abort.signal })) {
        all.push(...page);
        if (all.length >= most) break;
      }
      setMembers(all.sort((a, b) => order[a.role] - order[b.role]));
      setError(undefined);
    };
    load().catch((why: unknown) => {
      if (!abort.signal.aborted) setError(why);
    });
    return () => abort.abort();
  }, [conversation, group, version, snapshot.memberCount, snapshot.myRole]);
  const again = useCallback(() => setVersion((v) => v + 1), []);
  return { list: members, error, again };
}
