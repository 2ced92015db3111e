// Everything that was sent in a conversation, by kind and month: pictures and
// films, files, voice, links.
import type { Conversation } from "@skein/client";
import type { FoundMessage } from "@skein/client/search";
import { useEffect, useMemo, useRef, useState, type KeyboardEvent, type ReactNode } from "react";
import { useWorkspace } from "../../app/workspaceContext.ts";
import { pieces } from "../../format/linkify.ts";
import { listTime } from "../../format/time.ts";
import { useSpeech } from "../../i18n/context.tsx";
import { useStrings } from "../../i18n/strings.ts";
import { useClient, useConversation } from "../../live/context.tsx";
import { useNow } from "../../live/now.ts";
import { useNames } from "../../people/names.tsx";
import { Button, IconButton, Spinner } from "../../ui/Button.tsx";
import { Icon } from "../../ui/Icon.tsx";
import { roveFocus } from "../../ui/roving.ts";
import { FileCard } from "../FileCard.tsx";
import { FileOwner } from "../FileOwner.ts";
import { useFiles } from "../FilesContext.tsx";
import { itemKey, itemsOfFound, type GalleryItem } from "../gallery/items.ts";
import { inAlbum, kindOf } from "../kinds.ts";
import { Picture } from "../Picture.tsx";
import { playTime } from "../sizes.ts";
import { strings as fileStrings } from "../strings.ts";
import { VoiceMessage } from "../voice/VoiceMessage.tsx";
import { byMonth, monthName } from "./months.ts";
import { strings } from "./strings.ts";
import { useFound } from "./useFound.ts";
import "../files.css";
import "./mediatab.css";

const tabs = ["media", "file", "voice", "link"] as const;
type Tab = (typeof tabs)[number];

/** The list with its tabs. */
export function MediaTab({ conversation }: { conversation: Conversation }) {
  const s = useStrings(strings);
  const [tab, setTab] = useState<Tab>("media");
  const { head } = useConversation(conversation);
  const found = useFound(conversation.id, tab, head.seq);
  const onKeyDown = (event: KeyboardEvent<HTMLElement>) => {
    if (!roveFocus(event.currentTarget, "[role=tab]", event.key, "horizontal")) return;
    event.preventDefault();
    const at = document.activeElement;
    if (at instanceof HTMLElement) setTab((at.dataset["tab"] as Tab | undefined) ?? tab);
  };
  const { messages, state, more } = found;
  const empty = state === "end" && messages.length === 0;
  return (
    <div className="mediatab">
      <div className="segments" role="tablist" aria-label={s.title} onKeyDown={onKeyDown}>
        {tabs.map((one) => (
          <button key={one} type="button" role="tab" id={`mediatab-${one}`} data-tab={one} aria-selected={tab === one} aria-controls="mediatab-panel" tabIndex={tab === one ? 0 : -1} onClick={() => setTab(one)}>
            {s[one]}
          </button>
        ))}
      </div>
      <div id="mediatab-panel" role="tabpanel" aria-labelledby={`mediatab-${tab}`} key={tab}>
        {empty ? (
          <div className="empty mediatab-empty">
            <strong>{{ media: s.noMedia, file: s.noFiles, voice: s.noVoice, link: s.noLinks }[tab]}</strong>
            <span>{s.emptyText}</span>
          </div>
        ) : tab === "link" ? (
          <Links messages={messages} />
        ) : (
          <Sent messages={messages} tab={tab} />
        )}
        {state === "loading" ? (
          <p className="info-note" role="status">
            <Spinner />
          </p>
        ) : state === "failed" ? (
          <p className="info-note" role="alert">
            {s.failed} <Button onClick={more}>{s.more}</Button>
          </p>
        ) : state === "more" ? (
          <More onMore={more} />
        ) : null}
      </div>
    </div>
  );
}

/** Asks for more when it comes into view; a button for who does not scroll. */
function More({ onMore }: { onMore: () => void }) {
  const s = useStrings(strings);
  const ref = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    const element = ref.current;
    if (!element) return;
    const observer = new IntersectionObserver((seen) => seen.some(({ isIntersecting }) => isIntersecting) && onMore(), { rootMargin: "300px" });
    observer.observe(element);
    return () => observer.disconnect();
  }, [onMore]);
  return (
    <button ref={ref} type="button" className="button button-soft info-add" onClick={onMore}>
      {s.more}
    </button>
  );
}

function Months<T>({ items, timeOf, className, children }: { items: readonly T[]; timeOf: (item: T) => number; className: string; children: (item: T) => ReactNode }) {
  const { tag } = useSpeech();
  const now = useNow("minute");
  return byMonth(items, timeOf).map((month) => (
    <section key={month.id} className="mediatab-month" aria-label={monthName(month.time, now, tag)}>
      <h3 className="menu-title">{monthName(month.time, now, tag)}</h3>
      <ul role="list" className={className}>
        {month.items.map((item) => children(item))}
      </ul>
    </section>
  ));
}

function Sent({ messages, tab }: { messages: readonly FoundMessage[]; tab: "media" | "file" | "voice" }) {
  const items = useMemo(
    () =>
      itemsOfFound(messages).filter(({ file }) => {
        const kind = kindOf(file);
        return tab === "media" ? inAlbum(file) && file.url === "" : tab === "voice" ? (kind === "voice" || kind === "sound") && file.url === "" : !inAlbum(file) && kind !== "voice" && kind !== "sound";
      }),
    [messages, tab],
  );
  return (
    <Months items={items} timeOf={({ owner }) => owner.time} className={tab === "media" ? "mediatab-grid" : "mediatab-list"}>
      {(item) => (
        <li key={itemKey(item)}>
          <FileOwner value={item.owner}>{tab === "media" ? <Cell item={item} /> : <Line item={item} voice={tab === "voice"} />}</FileOwner>
        </li>
      )}
    </Months>
  );
}

const cellSide = 104;

function Cell({ item }: { item: GalleryItem }) {
  const s = useStrings(fileStrings);
  const { openGallery } = useFiles();
  const { file, index } = item;
  const film = kindOf(file) === "film";
  const length = file.duration > 0 ? playTime(file.duration) : "";
  const longer = (cellSide * Math.max(file.width, file.height)) / Math.min(file.width, file.height);
  return (
    <button type="button" className="tile mediatab-cell" onClick={() => openGallery(item)}>
      <span className="visually-hidden">{film ? s.filmNamed(file.name, length) : s.photoNamed(file.name)}</span>
      <Picture file={file} index={index} longer={longer} poster={film} />
      {film ? (
        <span className="tile-length" aria-hidden="true">
          <Icon name="play" size={12} /> {length}
        </span>
      ) : null}
    </button>
  );
}

/** Who sent it and when, with the way to its message. */
function By({ owner }: { owner: Pick<GalleryItem["owner"], "conversation" | "seq" | "sender" | "time" | "thread"> }) {
  const { t, tag } = useSpeech();
  const s = useStrings(strings);
  const client = useClient();
  const now = useNow("minute");
  const nameOf = useNames();
  const { open } = useWorkspace();
  const { conversation, seq = 0, sender, time, thread } = owner;
  return (
    <span className="mediatab-by">
      <small>
        {sender === client.userId ? t.you : nameOf(sender)} · {listTime(time, now, tag)}
      </small>
      <IconButton icon="jump" size={16} label={s.goTo} onClick={() => open({ conversation, seq, ...(thread ? { thread } : {}) })} />
    </span>
  );
}

function Line({ item, voice }: { item: GalleryItem; voice: boolean }) {
  return (
    <div className="mediatab-line">
      {voice ? <VoiceMessage file={item.file} index={item.index} /> : <FileCard file={item.file} />}
      <By owner={item.owner} />
    </div>
  );
}

/** The links of a text, each once. */
export function linksIn(text: string): readonly string[] {
  return [...new Set(pieces(text).flatMap((piece) => (piece.type === "link" ? [piece.href] : [])))];
}

function Links({ messages }: { messages: readonly FoundMessage[] }) {
  const links = useMemo(
    () =>
      messages.flatMap(({ conversation, seq, sender, time, threadSeq, text = "" }) =>
        linksIn(text).map((href) => ({ href, owner: { conversation, seq, sender, time, thread: threadSeq } })),
      ),
    [messages],
  );
  return (
    <Months items={links} timeOf={({ owner }) => owner.time} className="mediatab-list">
      {({ href, owner }) => (
        <li key={`${owner.seq} ${href}`}>
          <div className="mediatab-line">
            <a className="mediatab-link" href={href} target="_blank" rel="noopener noreferrer nofollow" dir="ltr">
              <strong>{href.replace(/^https?:\/\/(www\.)?/, "").replace(/\/.*$/s, "")}</strong>
              <span>{href}</span>
            </a>
            <By owner={owner} />
          </div>
        </li>
      )}
    </Months>
  );
}
