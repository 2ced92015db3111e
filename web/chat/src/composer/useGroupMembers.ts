// The members of a group, for mentions: asked for when the first "@" is typed,
// and again when the group changed.
import type { Conversation, ConversationSnapshot } from "@skein/client";
import { useEffect, useState } from "react";

const most = 1000;
const none: readonly string[] = [];

/** User ids of the members; empty until they are needed and known. */
export function useGroupMembers(conversation: Conversation, snapshot: ConversationSnapshot, wanted: boolean): readonly string[] {
  const [members, setMembers] = useState<{ readonly of: string; readonly users: readonly string[] }>();
  const group = snapshot.kind === "group" && snapshot.myRole !== undefined;
  const version = `${conversation.id} ${snapshot.memberCount}`;

  useEffect(() => {
    if (!group || !wanted || members?.of === version) return;
    const abort = new AbortController();
    const load = async () => {
      const users: string[] = [];
      for await (const page of conversation.members({ signal: abort.signal })) {
        users.push(...page.map((member) => member.user));
        if (users.length >= most) break;
      }
      setMembers({ of: version, users });
    };
    // Offline nobody is offered; the text can be sent all the same.
    load().catch(() => undefined);
    return () => abort.abort();
  }, [conversation, group, wanted, version, members]);

  return members?.users ?? none;
}
