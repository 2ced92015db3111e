// What a device knows of requests to join, and lists of a group that the
// server has.
import type { Conversation } from "@skein/client";
import type { JoinRequest } from "@skein/client/invites";
import { useCallback, useEffect, useState, useSyncExternalStore } from "react";
import { useClient } from "../live/context.tsx";

/** How many requests wait for this user's answer, by group; draws again when that changes. */
export function useWaiting(): ReadonlyMap<string, number> {
  const { invites } = useClient();
  return useSyncExternalStore(invites.onChange, () => invites.waiting);
}

/** This user's own requests. */
export function useMine(): readonly JoinRequest[] {
  const { invites } = useClient();
  return useSyncExternalStore(invites.onChange, () => invites.mine);
}

/** A list of a group, read from the server page by page; undefined while it is. */
export function useList<T>(
  conversation: Conversation,
  read: (conversation: Conversation, options: { signal: AbortSignal }) => AsyncGenerator<readonly T[]>,
): { readonly list: readonly T[] | undefined; readonly error: unknown; readonly again: () => void } {
  const [state, setState] = useState<{ list?: readonly T[]; error?: unknown }>({});
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const abort = new AbortController();
    const all = async () => {
      const list: T[] = [];
      for await (const page of read(conversation, { signal: abort.signal })) list.push(...page);
      if (!abort.signal.aborted) setState({ list });
    };
    all().catch((error: unknown) => {
      if (!abort.signal.aborted) setState({ error });
    });
    return () => abort.abort();
  }, [conversation, read, turn]);
  return { list: state.list, error: state.error, again: useCallback(() => setTurn((n) => n + 1), []) };
}
