// A guess at a row's height, for rows that were never drawn. It only has to be
// about right: it decides the length of the scroll bar, not where things are.
import type { Message } from "@skein/client";
import type { Attachment } from "@skein/client/messages";
import { albumSize } from "../files/album.ts";
import { inAlbum } from "../files/kinds.ts";
import { isEvent, writtenIn } from "../format/describe.ts";

function filesHeight(files: readonly Attachment[]): number {
  const album = files.filter((file) => inAlbum(file) && file.url === "");
  return (album.length > 0 ? albumSize(album).height : 0) + (files.length - album.length) * 68;
}

/** Pixels that a message will take in a bubble about 420 pixels wide. */
export function estimateHeight(message: Message): number {
  if (isEvent(message) || message.recalled) return 36;
  const { content } = message;
  const files = content?.type === "attachments" ? content.items : [];
  const text = writtenIn(message);
  let lines = 0;
  for (const line of text === "" && files.length > 0 ? [] : text.split("\n", 80)) {
    // A CJK character takes the room of two Latin ones.
    const wide = line.length > 200 ? line.length / 3 : (line.match(/[\u2e80-\u9fff\uac00-\ud7af\uff00-\uffef]/gu)?.length ?? 0);
    lines += Math.max(1, Math.ceil((line.length + wide) / 54));
  }
  return 18 + Math.max(files.length > 0 ? 0 : 1, lines) * 21 + filesHeight(files) + (message.replyTo === undefined ? 0 : 46) + (message.reactions.length > 0 ? 32 : 0);
}
