// From the wire's contents to what `message.content` and `details` say.
import type { Message, MessageContent } from "../../types/message.js";
import type { Content } from "../../wire/schema.js";
import type { Attachment, Details, Forwarded, MergedItem, TextFormat } from "./types.js";
import { type ContentFields, contentFields, textFormatNames } from "./wire.js";

const e7 = 1e7;

function formatOf(number: number): TextFormat | undefined {
  return textFormatNames[number] === "markdown" ? "markdown" : undefined;
}

function forwardedOf({ forwarded }: ContentFields): Forwarded | undefined {
  return forwarded && { sender: forwarded.sender, time: Math.floor(forwarded.timeUs / 1000) };
}

export function readDetails(bytes: Uint8Array): Details {
  const fields = contentFields.read(bytes);
  const { format, importedUs, mentionRoles, mentionAll, mentionHere } = fields;
  const imported = importedUs ? Math.floor(importedUs / 1000) : undefined;
  return { format: formatOf(format), forwarded: forwardedOf(fields), imported, mentionRoles, mentionAll, mentionHere };
}

const known = /* @__PURE__ */ new WeakMap<Uint8Array, Details>();
const none: Details = { format: undefined, forwarded: undefined, imported: undefined, mentionRoles: [], mentionAll: false, mentionHere: false };

/** What goes with a message beside its content. The same object for the same message. */
export function detailsOf({ fields }: Pick<Message, "fields">): Details {
  if (!fields?.content) return none;
  let details = known.get(fields.content);
  if (!details) known.set(fields.content, (details = readDetails(fields.content)));
  return details;
}

function some(bytes: Uint8Array): Uint8Array | undefined {
  return bytes.length ? bytes : undefined;
}

/** A content of one of the module's kinds; undefined when it is of another's. */
export function readContent(bytes: Uint8Array): MessageContent | undefined {
  const fields = contentFields.read(bytes);
  const { location, contactCard, sticker, attachments, notice, merged } = fields;
  if (location) {
    const { latitudeE7, longitudeE7, name, address } = location;
    return { type: "location", latitude: latitudeE7 / e7, longitude: longitudeE7 / e7, name, address };
  }
  if (contactCard) return { type: "contactCard", user: contactCard.user, name: contactCard.name };
  if (sticker) return { type: "sticker", pack: sticker.pack, id: sticker.id, url: sticker.url, alt: sticker.alt };
  if (attachments) {
    const items = attachments.items.map(
      ({ rest, durationMs, thumb, sha256, waveform, ...item }): Attachment => ({
        ...item,
        duration: durationMs,
        thumb: some(thumb),
        sha256: some(sha256),
        waveform: some(waveform),
      }),
    );
    return { type: "attachments", items, caption: attachments.caption, format: formatOf(fields.format) };
  }
  if (notice) {
    const { code, text, params } = notice;
    return { type: "notice", code, text, params: Object.fromEntries(params.map(({ name, value }) => [name, value])) };
  }
  if (merged) return { type: "merged", title: merged.title, count: merged.count, items: merged.items.map(itemOf) };
  return undefined;
}

function itemOf({ sender, timeUs, content }: { sender: string; timeUs: number; content?: Content | undefined }): MergedItem {
  const rest = content?.rest;
  const details = rest && readDetails(rest);
  const of = { sender, time: Math.floor(timeUs / 1000), format: details?.format, forwarded: details?.forwarded };
  const none = { text: undefined, custom: undefined, content: undefined };
  if (content?.text) return { ...of, ...none, kind: "text", text: content.text.text };
  if (content?.custom) return { ...of, ...none, kind: "custom", custom: content.custom };
  const read = rest && readContent(rest);
  return read ? { ...of, ...none, kind: "content", content: read } : { ...of, ...none, kind: "unreadable" };
}
