// Searching within one conversation: a field, how many were found, and the
// way from one to the next.
import type { Conversation } from "@skein/client";
import { useEffect, useMemo, useRef, useState } from "react";
import { useWords } from "../i18n/context.tsx";
import { useServerSearch } from "../search/useServerSearch.ts";
import { IconButton } from "../ui/Button.tsx";
import { Icon } from "../ui/Icon.tsx";
import { useToasts } from "../ui/Toasts.tsx";

interface FindBarProps {
  readonly conversation: Conversation;
  readonly onQuery: (query: string) => void;
  /** Shows the message at a position, in the thread that it is a reply in. */
  readonly onShow: (seq: number, thread: number | undefined) => void;
  readonly onClose: () => void;
}

/** Where a message that was found stands. */
interface Place {
  readonly seq: number;
  readonly thread: number | undefined;
}

/** The bar under the thread's head. */
export function FindBar({ conversation, onQuery, onShow, onClose }: FindBarProps) {
  const t = useWords();
  const { fail } = useToasts();
  const [text, setText] = useState("");
  const [here, setHere] = useState<readonly Place[]>();
  const [at, setAt] = useState(0);
  const input = useRef<HTMLInputElement>(null);

  useEffect(() => input.current?.focus(), []);
  useEffect(() => {
    const query = text.trim();
    onQuery(query);
    if (query === "") {
      setHere(undefined);
      return;
    }
    const abort = new AbortController();
    const timer = setTimeout(() => {
      conversation.search(query, { limit: 500, signal: abort.signal }).then(
        (messages) => {
          const places = messages.flatMap(({ seq, delivery }) => (seq === undefined ? [] : [{ seq, thread: delivery?.threadSeq || undefined }]));
          setHere(places);
          setAt(0);
          if (places[0]) onShow(places[0].seq, places[0].thread);
        },
        (error: unknown) => {
          if (!abort.signal.aborted) fail(error);
        },
      );
    }, 150);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [conversation, text, onQuery, onShow, fail]);

  // What this device does not hold comes after what it does: the server knows the rest of the past.
  const query = text.trim();
  const asked = useMemo(() => (query === "" ? undefined : { text: query, conversation: conversation.id, limit: 50 }), [conversation, query]);
  const server = useServerSearch(asked);
  const found = useMemo(() => {
    if (here === undefined) return undefined;
    const known = new Set(here.map(({ seq }) => seq));
    const older = server.messages.filter((m) => m.conversation === conversation.id && !known.has(m.seq)).map(({ seq, threadSeq }) => ({ seq, thread: threadSeq }));
    return [...here, ...older].sort((a, b) => b.seq - a.seq);
  }, [here, server.messages, conversation]);
  const rest = server.more;
  useEffect(() => {
    if (found && at + 1 >= found.length) rest?.();
  }, [at, found, rest]);

  const first = here?.length === 0 ? found?.[0] : undefined;
  useEffect(() => {
    if (first) onShow(first.seq, first.thread);
  }, [first, onShow]);

  const step = (by: number) => {
    const next = found?.[at + by];
    if (next === undefined) return;
    setAt(at + by);
    onShow(next.seq, next.thread);
  };

  return (
    <div className="findbar" role="search">
      <div className="searchbox">
        <Icon name="search" size={18} />
        <input
          ref={input}
          type="search"
          className="searchbox-input"
          placeholder={t.find}
          aria-label={t.find}
          value={text}
          autoComplete="off"
          onChange={(event) => setText(event.target.value)}
          onKeyDown={(event) => {
            if (event.nativeEvent.isComposing) return;
            if (event.key === "Escape") {
              event.stopPropagation();
              onClose();
            } else if (event.key === "Enter") {
              event.preventDefault();
              step(event.shiftKey ? -1 : 1);
            }
          }}
        />
      </div>
      <span className="findbar-count" role="status">
        {found === undefined ? "" : found.length === 0 ? t.findNone : t.findCount(at + 1, found.length)}
      </span>
      <IconButton icon="up" label={t.findPrevious} disabled={!found || at + 1 >= found.length} onClick={() => step(1)} />
      <IconButton icon="down" label={t.findNext} disabled={!found || at === 0} onClick={() => step(-1)} />
      <IconButton icon="close" label={t.close} onClick={onClose} />
    </div>
  );
}
