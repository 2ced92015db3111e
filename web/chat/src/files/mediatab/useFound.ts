// What the server finds of a kind in a conversation, page by page, newest first.
import type { FoundMessage, SearchKind } from "@skein/client/search";
import { useCallback, useEffect, useReducer, useRef, useState } from "react";
import { useClient, useConnection } from "../../live/context.tsx";

/** What is known so far. */
export interface Found {
  readonly messages: readonly FoundMessage[];
  readonly state: "loading" | "more" | "end" | "failed";
  /** Brings the next page, or tries again. */
  readonly more: () => void;
}

const pageSize = 50;
/** A message is found some moments after it was stored. */
const indexedMs = 1500;

const nothing: Omit<Found, "more"> = { messages: [], state: "loading" };

/** One list of both, each message once, newest first. */
function joined(a: readonly FoundMessage[], b: readonly FoundMessage[]): readonly FoundMessage[] {
  const all = new Map([...b, ...a].map((message) => [message.seq, message]));
  return [...all.values()].sort((x, y) => y.seq - x.seq);
}

/** Searches a conversation for a kind; undefined does not. When `head` grows, what is new is added. */
export function useFound(conversation: string, kind: SearchKind | undefined, head = 0): Found {
  const client = useClient();
  const online = useConnection(client).state === "online";
  const [found, setFound] = useState(nothing);
  const [asked, ask] = useReducer((n: number) => n + 1, 0);
  /** Where the next page begins: undefined before the first. */
  const next = useRef<{ readonly of: string; readonly page: string | undefined }>(undefined);
  const of = `${conversation} ${kind}`;

  useEffect(() => {
    if (kind === undefined) return;
    const abort = new AbortController();
    const page = next.current?.of === of ? next.current.page : undefined;
    setFound((now) => ({ messages: page === undefined ? [] : now.messages, state: "loading" }));
    client.serverSearch.searchMessages({ conversation, kind, limit: pageSize, page, signal: abort.signal }).then(
      ({ messages, nextPage }) => {
        if (abort.signal.aborted) return;
        next.current = { of, page: nextPage };
        setFound((now) => ({ messages: joined(messages, now.messages), state: nextPage === undefined ? "end" : "more" }));
      },
      () => {
        if (!abort.signal.aborted) setFound((now) => ({ ...now, state: "failed" }));
      },
    );
    return () => abort.abort();
  }, [client, conversation, kind, of, asked]);

  const first = useRef(head);
  useEffect(() => {
    if (kind === undefined || head === first.current) return;
    first.current = head;
    const abort = new AbortController();
    const timer = setTimeout(() => {
      client.serverSearch
        .searchMessages({ conversation, kind, limit: pageSize, signal: abort.signal })
        .then(({ messages }) => setFound((now) => ({ ...now, messages: joined(messages, now.messages) })))
        // What is new is seen when the list is opened again.
        .catch(() => undefined);
    }, indexedMs);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [client, conversation, kind, head]);

  // What failed for want of a network is tried again with one.
  const failed = useRef(false);
  failed.current = found.state === "failed";
  useEffect(() => {
    if (online && failed.current) ask();
  }, [online]);

  const more = useCallback(() => ask(), []);
  return { ...found, more };
}
