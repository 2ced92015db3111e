// What the server finds beyond what this device holds, with filters.
import type { Conversation } from "@skein/client";
import type { FoundMessage, MessageQuery, SearchKind } from "@skein/client/search";
import { useId, useMemo, useState } from "react";
import { colourId, conversationName, foundSign } from "../format/describe.ts";
import { listTime } from "../format/time.ts";
import { useSpeech } from "../i18n/context.tsx";
import { useStrings } from "../i18n/strings.ts";
import { useClient, useConversations } from "../live/context.tsx";
import { useNow } from "../live/now.ts";
import { Avatar } from "../ui/Avatar.tsx";
import { Button } from "../ui/Button.tsx";
import { strings } from "./strings.ts";
import { useServerSearch } from "./useServerSearch.ts";
import "./search.css";

const kinds = ["text", "link", "media", "file", "voice", "location", "card", "poll"] as const satisfies readonly SearchKind[];

interface FoundOnServerProps {
  readonly query: string;
  /** What is shown already: `${conversation} ${seq}`. */
  readonly known: ReadonlySet<string>;
  readonly onChoose: (conversation: Conversation, seq: number, thread: number | undefined) => void;
}

/** Midnight of a day as an input names it, in this device's time zone. */
function dayStart(day: string, plus = 0): number | undefined {
  const [year, month, date] = day.split("-").map(Number);
  return year && month && date ? new Date(year, month - 1, date + plus).getTime() : undefined;
}

/** The part of the results that comes from the server. */
export function FoundOnServer({ query, known, onChoose }: FoundOnServerProps) {
  const t = useStrings(strings);
  const id = useId();
  const conversations = useConversations();
  const [kind, setKind] = useState<SearchKind>();
  const [open, setOpen] = useState(false);
  const [sender, setSender] = useState("");
  const [since, setSince] = useState("");
  const [until, setUntil] = useState("");
  const asked = useMemo<MessageQuery>(
    () => ({ text: query, kind, sender: sender.trim() || undefined, after: dayStart(since), before: dayStart(until, 1), limit: 20 }),
    [query, kind, sender, since, until],
  );
  const { messages, state, more } = useServerSearch(asked);
  const filtered = kind !== undefined || sender.trim() !== "" || since !== "" || until !== "";
  const shown = filtered ? messages : messages.filter((m) => !known.has(`${m.conversation} ${m.seq}`));
  const people = [...new Set(conversations.flatMap((c) => (c.peer === undefined ? [] : [c.peer])))].slice(0, 200);

  return (
    <section className="found" aria-labelledby={`${id}-title`}>
      <div className="found-head">
        <h2 className="menu-title" id={`${id}-title`}>
          {t.onServer}
        </h2>
        <button type="button" className="found-toggle" aria-expanded={open} aria-controls={`${id}-filters`} onClick={() => setOpen(!open)}>
          {t.filters}
        </button>
      </div>
      <div className="found-filters" id={`${id}-filters`} hidden={!open}>
        <div className="found-kinds" role="group" aria-label={t.what}>
          {[undefined, ...kinds].map((k) => (
            <button key={k ?? ""} type="button" className="chip" aria-pressed={kind === k} onClick={() => setKind(k)}>
              {k === undefined ? t.all : t[k]}
            </button>
          ))}
        </div>
        <label>
          <span>{t.from}</span>
          <input list={`${id}-people`} value={sender} placeholder={t.fromHint} maxLength={64} onChange={(event) => setSender(event.target.value)} />
          <datalist id={`${id}-people`}>
            {people.map((user) => (
              <option key={user} value={user} />
            ))}
          </datalist>
        </label>
        <label>
          <span>{t.since}</span>
          <input type="date" value={since} max={until || undefined} onChange={(event) => setSince(event.target.value)} />
        </label>
        <label>
          <span>{t.until}</span>
          <input type="date" value={until} min={since || undefined} onChange={(event) => setUntil(event.target.value)} />
        </label>
        {filtered ? (
          <Button
            onClick={() => {
              setKind(undefined);
              setSender("");
              setSince("");
              setUntil("");
            }}
          >
            {t.clear}
          </Button>
        ) : null}
      </div>
      <ul role="list">
        {shown.map((m) => (
          <FoundHit key={`${m.conversation} ${m.seq}`} found={m} onChoose={onChoose} />
        ))}
      </ul>
      <p className="found-state" role="status">
        {state === "searching" ? t.searching : state === "failed" ? t.failed : ""}
      </p>
      {more ? <Button onClick={more}>{t.more}</Button> : null}
    </section>
  );
}

function FoundHit({ found, onChoose }: { readonly found: FoundMessage; readonly onChoose: FoundOnServerProps["onChoose"] }) {
  const { t, tag } = useSpeech();
  const client = useClient();
  const now = useNow("minute");
  const conversation = client.conversation.get(found.conversation);
  const name = conversationName(conversation, t);
  return (
    <li>
      <button type="button" className="hit" onClick={() => onChoose(conversation, found.seq, found.threadSeq)}>
        <Avatar id={colourId(conversation)} name={name} notes={conversation.kind === "self"} />
        <span className="chat-main">
          <span className="chat-line">
            <span className="chat-name">{name}</span>
            <time dateTime={new Date(found.time).toISOString()}>{listTime(found.time, now, tag)}</time>
          </span>
          <span className="chat-preview" dir="auto">
            {foundSign(found.fields, t)}
            {found.excerpt.map((piece, i) => (piece.hit ? <mark key={i}>{piece.text}</mark> : piece.text))}
          </span>
        </span>
      </button>
    </li>
  );
}
