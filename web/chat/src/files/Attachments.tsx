// What a message with files shows: pictures and films as one block, then what
// is heard, then cards, then what was said with them.
import type { ReactNode } from "react";
import { Markdown } from "../messages/Markdown.tsx";
import { MessageText } from "../thread/MessageText.tsx";
import { Album } from "./Album.tsx";
import { FileCard } from "./FileCard.tsx";
import { useFileOwner } from "./FileOwner.ts";
import { plainCaption } from "./gallery/items.ts";
import { inAlbum, kindOf } from "./kinds.ts";
import type { Attachment } from "./sdk.ts";
import { ItemLine, ItemRing, TransferBar, TransferOver, useTransferOf } from "./transfers/TransferParts.tsx";
import { VoiceMessage } from "./voice/VoiceMessage.tsx";
import "./files.css";

interface AttachmentsProps {
  readonly items: readonly Attachment[];
  readonly caption: string;
  readonly format: "markdown" | undefined;
  readonly query: string;
  readonly me: string;
}

/** Whether nothing but pictures and films is seen, so that the time stands on them. */
export function onlyAlbum({ items, caption }: { readonly items: readonly Attachment[]; readonly caption: string }): boolean {
  return caption === "" && items.length > 0 && items.every(inAlbum) && items.every(({ file, url }) => file !== "" || url === "");
}

/** Draws them. */
export function Attachments({ items, caption, format, query, me }: AttachmentsProps) {
  const owner = useFileOwner();
  const transfer = useTransferOf(owner.conversation, owner.seq === undefined ? owner.id : "");
  const placed = items.map((file, index) => ({ file, index }));
  // What lies elsewhere is not loaded by itself.
  const shown = placed.filter(({ file }) => inAlbum(file) && file.url === "");
  const rest = placed.filter((item) => !shown.includes(item));
  const sign = (index: number): ReactNode => (transfer ? <ItemRing transfer={transfer} index={index} /> : undefined);
  const line = (index: number): ReactNode => (transfer ? <ItemLine transfer={transfer} index={index} /> : undefined);
  return (
    <div className="files">
      {shown.length > 0 ? <Album items={shown} caption={plainCaption({ caption, format })} over={transfer && ((index) => <TransferOver transfer={transfer} index={index} />)} /> : null}
      {rest.map(({ file, index }) => {
        const kind = kindOf(file);
        return (kind === "voice" || kind === "sound") && file.url === "" ? (
          <VoiceMessage key={index} file={file} index={index} sign={sign(index)} line={line(index)} />
        ) : (
          <FileCard key={index} file={file} sign={sign(index)} line={line(index)} />
        );
      })}
      {transfer ? <TransferBar transfer={transfer} /> : null}
      {caption === "" ? null : (
        <span className="files-caption">{format === "markdown" ? <Markdown text={caption} mentions={[]} query={query} me={me} /> : <MessageText text={caption} mentions={[]} query={query} me={me} />}</span>
      )}
    </div>
  );
}
