// What a search finds: conversations by name, messages by their words, and
// the offer to write to an id that no conversation has.
import type { Conversation, SearchHit } from "@skein/client";
import { useEffect, useMemo, useState } from "react";
import { useWorkspace } from "../app/workspaceContext.ts";
import { colourId, conversationName, previewText } from "../format/describe.ts";
import { listTime } from "../format/time.ts";
import { useSpeech } from "../i18n/context.tsx";
import { useClient, useConversations } from "../live/context.tsx";
import { useNow } from "../live/now.ts";
import { FoundOnServer } from "../search/FoundOnServer.tsx";
import { Highlight } from "../thread/Highlight.tsx";
import { Avatar } from "../ui/Avatar.tsx";
import { Icon } from "../ui/Icon.tsx";
import { useToasts } from "../ui/Toasts.tsx";
import { excerpt } from "./excerpt.ts";
import { useNames } from "../people/names.tsx";

interface SearchResultsProps {
  readonly query: string;
  readonly onDone: () => void;
}

/** The results of a search over everything that this device holds. */
export function SearchResults({ query, onDone }: SearchResultsProps) {
  const { t } = useSpeech();
  const client = useClient();
  const { open } = useWorkspace();
  const { fail } = useToasts();
  const conversations = useConversations();
  const [hits, setHits] = useState<readonly SearchHit[]>();

  useEffect(() => {
    const abort = new AbortController();
    const timer = setTimeout(() => {
      client.search(query, { limit: 40, signal: abort.signal }).then(setHits, (error: unknown) => {
        if (!abort.signal.aborted) fail(error);
      });
    }, 120);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [client, query, fail]);

  const nameOf = useNames();
  const q = query.toLocaleLowerCase();
  const chats = conversations.filter(
    (c) => conversationName(c, t, nameOf).toLocaleLowerCase().includes(q) || c.id.toLocaleLowerCase() === q,
  );
  const here = useMemo(() => new Set(hits?.map((h) => `${h.conversation.id} ${h.message.seq}`)), [hits]);
  const known = conversations.some((c) => c.peer === query) || query === client.userId;
  const choose = (conversation: Conversation, seq?: number, thread?: number) => {
    onDone();
    open({ conversation: conversation.id, ...(seq === undefined ? {} : { seq }), ...(thread ? { thread } : {}) });
  };

  return (
    <div className="results scroll">
      {chats.length > 0 ? <h2 className="menu-title">{t.searchChats}</h2> : null}
      <ul role="list">
        {chats.slice(0, 20).map((c) => (
          <li key={c.id}>
            <button type="button" className="hit" onClick={() => choose(c)}>
              <Avatar id={colourId(c)} name={conversationName(c, t, nameOf)} notes={c.kind === "self"} />
              <span className="chat-name">
                <Highlight text={conversationName(c, t, nameOf)} query={query} />
              </span>
            </button>
          </li>
        ))}
      </ul>
      {hits && hits.length > 0 ? (
        <>
          <h2 className="menu-title">{t.searchMessages}</h2>
          <ul role="list">
            {hits.map((hit) => (
              <Hit key={`${hit.conversation.id} ${hit.message.key}`} hit={hit} query={query} onChoose={choose} />
            ))}
          </ul>
        </>
      ) : null}
      <FoundOnServer query={query} known={here} onChoose={choose} />
      {known || !/^\S{1,64}$/u.test(query) ? null : (
        <ul role="list">
          <li>
            <button type="button" className="hit" onClick={() => choose(client.conversation.with(query))}>
              <span className="hit-new">
                <Icon name="plus" />
              </span>
              <span className="chat-name">{t.searchStart(query)}</span>
            </button>
          </li>
        </ul>
      )}
      {hits?.length === 0 && chats.length === 0 ? (
        <p className="results-none" role="status">
          {t.searchNothing(query)}
        </p>
      ) : null}
    </div>
  );
}

interface HitProps {
  readonly hit: SearchHit;
  readonly query: string;
  readonly onChoose: (conversation: Conversation, seq?: number, thread?: number) => void;
}

function Hit({ hit: { conversation, message }, query, onChoose }: HitProps) {
  const { t, tag } = useSpeech();
  const now = useNow("minute");
  const name = conversationName(conversation, t, useNames());
  return (
    <li>
      <button type="button" className="hit" onClick={() => onChoose(conversation, message.seq, message.delivery?.threadSeq)}>
        <Avatar id={colourId(conversation)} name={name} notes={conversation.kind === "self"} />
        <span className="chat-main">
          <span className="chat-line">
            <span className="chat-name">{name}</span>
            <time dateTime={new Date(message.time).toISOString()}>{listTime(message.time, now, tag)}</time>
          </span>
          <span className="chat-preview" dir="auto">
            <Highlight text={excerpt(previewText(message, t), query)} query={query} />
          </span>
        </span>
      </button>
    </li>
  );
}
