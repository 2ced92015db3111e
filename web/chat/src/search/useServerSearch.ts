// A search on the server that follows what is typed: one query at a time, its
// pages one after the other.
import type { FoundMessage, MessageQuery } from "@skein/client/search";
import { useCallback, useEffect, useRef, useState } from "react";
import { useClient } from "../live/context.tsx";

/** What is known of a search. */
export interface ServerSearchState {
  readonly messages: readonly FoundMessage[];
  readonly state: "searching" | "done" | "failed";
  /** Brings the next page; undefined when there is none. */
  readonly more: (() => void) | undefined;
}

const pause = 250;

/** Searches for `query`, once it has rested for a moment; undefined asks for nothing. The query must be the same object while it is the same. */
export function useServerSearch(query: MessageQuery | undefined): ServerSearchState {
  const client = useClient();
  const [messages, setMessages] = useState<readonly FoundMessage[]>([]);
  const [state, setState] = useState<ServerSearchState["state"]>("done");
  const [page, setPage] = useState<string>();
  const running = useRef<AbortController>(undefined);

  const fetchPage = useCallback(
    (asked: MessageQuery, from: string | undefined) => {
      running.current?.abort();
      const abort = new AbortController();
      running.current = abort;
      setState("searching");
      client.serverSearch.searchMessages({ ...asked, page: from, signal: abort.signal }).then(
        (answer) => {
          if (abort.signal.aborted) return;
          setMessages((before) => (from === undefined ? answer.messages : [...before, ...answer.messages]));
          setPage(answer.nextPage);
          setState("done");
        },
        () => {
          if (!abort.signal.aborted) setState("failed");
        },
      );
    },
    [client],
  );

  useEffect(() => {
    setMessages([]);
    setPage(undefined);
    if (!query) {
      setState("done");
      return;
    }
    setState("searching");
    const timer = setTimeout(() => fetchPage(query, undefined), pause);
    return () => {
      clearTimeout(timer);
      running.current?.abort();
    };
  }, [query, fetchPage]);

  return { messages, state, more: query && page !== undefined && state !== "searching" ? () => fetchPage(query, page) : undefined };
}
