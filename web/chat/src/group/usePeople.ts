// People that this user may want to write to: the demo users and everybody
// whom they have a direct conversation with.
import { useMemo } from "react";
import { useWorkspace } from "../app/workspaceContext.ts";
import { useClient, useConversations } from "../live/context.tsx";

/** User ids, without one's own and without `except`. */
export function usePeople(except: readonly string[] = []): readonly string[] {
  const client = useClient();
  const { dev } = useWorkspace();
  const conversations = useConversations();
  const excluded = except.join("\n");
  return useMemo(() => {
    const out = new Set(excluded === "" ? [] : excluded.split("\n"));
    out.add(client.userId);
    const peers = conversations.flatMap((c) => (c.peer === undefined ? [] : [c.peer]));
    return [...new Set([...peers, ...(dev?.users ?? [])])].filter((user) => !out.has(user));
  }, [client, dev, conversations, excluded]);
}
