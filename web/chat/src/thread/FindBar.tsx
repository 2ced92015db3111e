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
  /** Shows the message at a position. */
  readonly onShow: (seq: number) => void;
  readonly onClose: () => void;
}

/** The bar under the thread's head. */
export function FindBar({ conversation, onQuery, onShow, onClose }: FindBarProps) {
  const t = useWords();
  const { fail } = useToasts();
  const [text, setText] = useState("");
  const [here, setHere] = useState<readonly number[]>();
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
          const seqs = messages.flatMap((m) => (m.seq === undefined ? [] : [m.seq]));
          setHere(seqs);
          setAt(0);
          if (seqs[0] !== undefined) onShow(seqs[0]);
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
    const older = server.messages.flatMap((m) => (m.conversation === conversation.id && !here.includes(m.seq) ? [m.seq] : []));
    return [...here, ...older].sort((a, b) => b - a);
  }, [here, server.messages, conversation]);
  const rest = server.more;
  useEffect(() => {
    if (found && at + 1 >= found.length) rest?.();
  }, [at, found, rest]);

  const first = here?.length === 0 ? found?.[0] : undefined;
  useEffect(() => {
    if (first !== undefined) onShow(first);
  }, [first, onShow]);

  const step = (by: number) => {
    const next = found?.[at + by];
    if (next === undefined) return;
    setAt(at + by);
    onShow(next);
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
