// The members of a group with their roles, read page by page when the panel
// opens, and again when somebody comes, goes, or changes.
import type { Conversation, ConversationSnapshot, Member } from "@skein/client";
import type { GroupMember } from "@skein/client/groups";
import { useCallback, useEffect, useRef, useState } from "react";
import { useClient } from "../live/context.tsx";

const order: Record<Member["role"], number> = { owner: 0, admin: 1, member: 2 };
const pageSize = 100;

/** What is known of the members: owner first, then admins, then members. */
export interface Members {
  /** undefined while nothing is known. */
  readonly list: readonly GroupMember[] | undefined;
  /** Why the last time of asking failed. */
  readonly error: unknown;
  /** There are more pages. */
  readonly hasMore: boolean;
  /** Reads another page. */
  readonly more: () => void;
  readonly again: () => void;
}

/** The members of a group, as many pages of them as were asked for; all of them while `all`. */
export function useMembers(conversation: Conversation, snapshot: ConversationSnapshot, all: boolean): Members {
  const client = useClient();
  const [members, setMembers] = useState<readonly GroupMember[]>();
  const [error, setError] = useState<unknown>();
  const [version, setVersion] = useState(0);
  const [pages, setPages] = useState(2);
  const [hasMore, setHasMore] = useState(false);
  const group = snapshot.kind === "group" && snapshot.myRole !== undefined;
  const wanted = all ? Number.POSITIVE_INFINITY : pages;
  const loaded = useRef<{ readonly of: string; readonly pages: number }>(undefined);
  const state = `${conversation.id} ${version} ${snapshot.memberCount} ${snapshot.myRole ?? ""}`;

  useEffect(
    () =>
      client.on("message", ({ conversation: where, message }) => {
        if (where === conversation && (message.kind === "members" || message.kind === "conversation")) setVersion((v) => v + 1);
      }),
    [client, conversation],
  );
  useEffect(() => {
    if (!group || (loaded.current?.of === state && loaded.current.pages >= wanted)) return;
    const abort = new AbortController();
    const load = async () => {
      const found: GroupMember[] = [];
      let read = 0;
      let rest = false;
      for await (const page of client.groups.members(conversation, { limit: pageSize, signal: abort.signal })) {
        found.push(...page);
        read += 1;
        rest = page.length === pageSize;
        if (read >= wanted) break;
      }
      loaded.current = { of: state, pages: rest ? read : Number.POSITIVE_INFINITY };
      setMembers(found.sort((a, b) => order[a.role] - order[b.role]));
      setHasMore(rest);
      setError(undefined);
    };
    load().catch((why: unknown) => {
      if (!abort.signal.aborted) setError(why);
    });
    return () => abort.abort();
  }, [client, conversation, group, state, wanted]);
  const again = useCallback(() => setVersion((v) => v + 1), []);
  const more = useCallback(() => setPages((n) => n + 2), []);
  return { list: members, error, hasMore, more, again };
}
