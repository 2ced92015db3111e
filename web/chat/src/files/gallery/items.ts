// The pictures and films of a conversation in one row, oldest first.
import type { Message } from "@skein/client";
import { plainText } from "@skein/client/markdown";
import { readContent } from "@skein/client/messages";
import type { FoundMessage } from "@skein/client/search";
import { inAlbum } from "../kinds.ts";
import type { Owner } from "../FileOwner.ts";
import type { Attachment } from "../sdk.ts";

/** One of them. */
export interface GalleryItem {
  readonly owner: Owner;
  readonly file: Attachment;
  /** Its place in its message. */
  readonly index: number;
  /** Without its marks. */
  readonly caption: string;
}

/** What was said with files, without its marks: for a line below a picture, and for who does not see it. */
export function plainCaption({ caption, format }: { readonly caption: string; readonly format: string | undefined }): string {
  return format === "markdown" ? plainText(caption) : caption;
}

/** What tells an item from all others of its conversation. */
export function itemKey({ owner, index }: Pick<GalleryItem, "owner" | "index">): string {
  return `${owner.seq ?? owner.id} ${index}`;
}

/** The owner that a message is of its files. */
export function ownerOf(message: Pick<Message, "conversation" | "seq" | "id" | "sender" | "time" | "delivery">): Owner {
  const { conversation, seq, id, sender, time, delivery } = message;
  return { conversation, seq, id, sender, time, thread: delivery?.threadSeq || undefined };
}

/** Pictures and films of messages that are loaded. */
export function itemsOfMessages(messages: readonly Message[]): readonly GalleryItem[] {
  return messages.flatMap((message) => {
    const { content, recalled, delivery } = message;
    if (recalled || delivery?.expired || content?.type !== "attachments") return [];
    const owner = ownerOf(message);
    const caption = plainCaption(content);
    return content.items.flatMap((file, index) => (inAlbum(file) && file.url === "" ? { owner, file, index, caption } : []));
  });
}

/** The attachments of what a search found, with the message that each is in. */
export function itemsOfFound(found: readonly FoundMessage[]): readonly GalleryItem[] {
  return found.flatMap(({ conversation, seq, sender, time, threadSeq, fields }) => {
    const content = fields && readContent(fields);
    if (content?.type !== "attachments") return [];
    const owner: Owner = { conversation, seq, id: `found ${seq}`, sender, time, thread: threadSeq };
    const caption = plainCaption(content);
    return content.items.map((file, index) => ({ owner, file, index, caption }));
  });
}

/** One row of all, each once, what is loaded before what was found: it may have been edited since. */
export function merged(loaded: readonly GalleryItem[], found: readonly GalleryItem[]): readonly GalleryItem[] {
  const all = new Map<string, GalleryItem>();
  for (const item of [...found, ...loaded]) all.set(itemKey(item), item);
  return [...all.values()].sort((a, b) => (a.owner.seq ?? Infinity) - (b.owner.seq ?? Infinity) || a.index - b.index);
}
