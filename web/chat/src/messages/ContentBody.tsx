// What a message of one of the module's kinds shows.
import type { MessageContent } from "@skein/client";
import type { Merged, MergedItem } from "@skein/client/messages";
import { useState } from "react";
import { go } from "../app/route.ts";
import { filesText } from "../format/describe.ts";
import { clock } from "../format/time.ts";
import { hue } from "../format/names.ts";
import { useSpeech, useWords } from "../i18n/context.tsx";
import type { Words } from "../i18n/en.ts";
import { useStrings } from "../i18n/strings.ts";
import { useClient } from "../live/context.tsx";
import { Attachments } from "../files/Attachments.tsx";
import { useNames } from "../people/names.tsx";
import { Avatar } from "../ui/Avatar.tsx";
import { Dialog } from "../ui/Dialog.tsx";
import { MessageText } from "../thread/MessageText.tsx";
import { Markdown } from "./Markdown.tsx";
import { Sticker } from "./Sticker.tsx";
import { strings } from "./strings.ts";

interface ContentBodyProps {
  readonly content: MessageContent;
  readonly query: string;
  readonly me: string;
}

/** Draws a content. */
export function ContentBody({ content, query, me }: ContentBodyProps) {
  const t = useWords();
  switch (content.type) {
    case "location":
      return <LocationCard {...content} />;
    case "contactCard":
      return <ContactCardView user={content.user} name={content.name} />;
    case "sticker":
      return <Sticker pack={content.pack} id={content.id} alt={content.alt} />;
    case "attachments":
      return <Attachments items={content.items} caption={content.caption} format={content.format} query={query} me={me} />;
    case "merged":
      return <MergedCard merged={content} me={me} />;
    case "notice":
      return <span>{content.text}</span>;
    default:
      return <em>{t.unreadable}</em>;
  }
}

/** Degrees as people write them. */
function degrees(value: number): string {
  return String(Math.round(value * 1e5) / 1e5);
}

function LocationCard({ latitude, longitude, name, address }: { latitude: number; longitude: number; name: string; address: string }) {
  const s = useStrings(strings);
  const at = `${degrees(latitude)}, ${degrees(longitude)}`;
  const map = `https://www.openstreetmap.org/?mlat=${latitude}&mlon=${longitude}#map=16/${latitude}/${longitude}`;
  return (
    <a className="card card-location" href={map} target="_blank" rel="noopener noreferrer" title={s.openMap}>
      <span className="card-map" aria-hidden="true">
        <span className="card-pin">📍</span>
      </span>
      <span className="card-text">
        <strong dir="auto">{name === "" ? s.location : name}</strong>
        {address === "" ? null : <span dir="auto">{address}</span>}
        <small>{at}</small>
      </span>
    </a>
  );
}

function ContactCardView({ user, name }: { user: string; name: string }) {
  const s = useStrings(strings);
  const client = useClient();
  const self = user === client.userId;
  return (
    <span className="card card-contact">
      <Avatar id={user} name={name || user} size="l" />
      <span className="card-text">
        <strong dir="auto">{name === "" ? user : name}</strong>
        <small>{user}</small>
        {self ? null : (
          <button type="button" className="card-action" onClick={() => go({ at: "chat", id: client.conversation.with(user).id })}>
            {s.writeToThem}
          </button>
        )}
      </span>
    </span>
  );
}

/** One line of what a merged item says. */
export function itemLine(item: MergedItem, s: { readonly [K in "location" | "contactCard" | "sticker"]: string }, t: Words): string {
  if (item.kind === "text") return (item.text ?? "").replace(/\s+/gu, " ").trim();
  if (item.kind === "custom") return item.custom?.summary || item.custom?.type || "";
  const { content } = item;
  switch (content?.type) {
    case "location":
      return `[${s.location}] ${content.name}`;
    case "contactCard":
      return `[${s.contactCard}] ${content.name || content.user}`;
    case "sticker":
      return `[${s.sticker}] ${content.alt}`;
    case "attachments":
      return filesText(content, t);
    case "merged":
      return `[${content.title || content.count}]`;
    default:
      return "…";
  }
}

function MergedCard({ merged, me }: { merged: Merged; me: string }) {
  const t = useWords();
  const s = useStrings(strings);
  const nameOf = useNames();
  const [open, setOpen] = useState(false);
  const title = merged.title === "" ? s.mergedCount(merged.count) : merged.title;
  return (
    <>
      <button type="button" className="card card-merged" aria-haspopup="dialog" onClick={() => setOpen(true)}>
        <strong dir="auto">{title}</strong>
        {merged.items.slice(0, 4).map((item, i) => (
          <span key={i} className="merged-line" dir="auto">
            {nameOf(item.sender)}: {itemLine(item, s, t)}
          </span>
        ))}
        <small>{s.mergedCount(merged.count)}</small>
      </button>
      {open ? <MergedDialog merged={merged} title={title} me={me} onClose={() => setOpen(false)} /> : null}
    </>
  );
}

function MergedDialog({ merged, title, me, onClose }: { merged: Merged; title: string; me: string; onClose: () => void }) {
  const { tag } = useSpeech();
  const nameOf = useNames();
  const s = useStrings(strings);
  return (
    <Dialog title={title} onClose={onClose} wide>
      {merged.items.length === 0 ? <p className="dialog-text">{s.mergedInside}</p> : null}
      <ol className="merged-list" role="list">
        {merged.items.map((item, i) => (
          <li key={i} className="merged-item">
            <Avatar id={item.sender} name={nameOf(item.sender)} size="s" />
            <div className="merged-said">
              <span className={`bubble-name hue-${hue(item.sender)}`}>{nameOf(item.sender)}</span>
              <time dateTime={new Date(item.time).toISOString()}>
                {new Date(item.time).toLocaleDateString(tag)} {clock(item.time, tag)}
              </time>
              <div className="merged-body" dir="auto">
                <ItemBody item={item} me={me} />
              </div>
            </div>
          </li>
        ))}
      </ol>
    </Dialog>
  );
}

function ItemBody({ item, me }: { item: MergedItem; me: string }) {
  const t = useWords();
  const text = item.text ?? "";
  if (item.kind === "text" && item.format === "markdown") return <Markdown text={text} mentions={[]} query="" me={me} />;
  if (item.kind === "text") return <MessageText text={text} mentions={[]} query="" me={me} />;
  if (item.kind === "custom") return <span className="bubble-custom">{item.custom?.summary || item.custom?.type}</span>;
  return item.content ? <ContentBody content={item.content} query="" me={me} /> : <em>{t.unreadable}</em>;
}

