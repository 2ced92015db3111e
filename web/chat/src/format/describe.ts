// Conversations and messages in words: names, the line of the list, what
// changed in a group.
import type { ConversationKind, ErrorCode, Message, MessageContent } from "@skein/client";
import { callLine, type CallLine } from "@skein/client/calls";
import { readGroupChange } from "@skein/client/groups";
import { plainText } from "@skein/client/markdown";
import { detailsOf, readContent, type Attachment } from "@skein/client/messages";
import { plainCaption } from "../files/gallery/items.ts";
import { inAlbum, kindOf, shownName } from "../files/kinds.ts";
import { playTime } from "../files/sizes.ts";
import type { Words } from "../i18n/en.ts";
import type { NameOf } from "../people/names.tsx";

const asId: NameOf = (user) => user;

/** The parts of a conversation that its name is made of. */
export interface Named {
  readonly id: string;
  readonly kind: ConversationKind;
  readonly title: string;
  readonly peer: string | undefined;
}

/** What a conversation is called. */
export function conversationName(c: Named, t: Words, nameOf: NameOf = asId): string {
  if (c.kind === "self") return t.notes;
  if (c.kind === "direct") return c.peer === undefined ? c.id : nameOf(c.peer);
  return c.title.trim() === "" ? c.id : c.title;
}

/** The id that a conversation's colour is made from: a person's is the same in every list. */
export function colourId(c: Named): string {
  return c.kind === "direct" ? (c.peer ?? c.id) : c.id;
}

/** Names joined as in speech, at most three of them. `me` is "you", or "You" where the names begin the sentence. */
export function joinNames(users: readonly string[], me: string, t: Words, begins = false, nameOf: NameOf = asId): string {
  const names = users.map((user) => (user === me ? (begins ? t.you : t.youObject) : nameOf(user)));
  if (names.length <= 1) return names[0] ?? "";
  if (names.length > 3) return `${names.slice(0, 2).join(", ")} ${t.andOthers(names.length - 2)}`;
  return t.listAnd(names.slice(0, -1).join(", "), names[names.length - 1] ?? "");
}

/** What a line of the conversation itself says: who came and went, the new title. */
export function eventText(message: Message, me: string, t: Words, nameOf: NameOf = asId): string {
  const by = message.mine ? t.you : nameOf(message.sender);
  if (message.content?.type === "pin") {
    const who = message.sender === me ? t.you : by;
    return message.content.removed ? t.evUnpinned(who) : t.evPinned(who);
  }
  const group = groupText(message, by, me, t, nameOf);
  if (group !== undefined) return group;
  if (message.kind === "conversation") return t.evTitle(by, message.title ?? "");
  const change = message.members;
  if (!change) return "";
  if (change.left.length > 0) return t.evLeft(joinNames(change.left, me, t, true, nameOf));
  if (change.removed.length > 0) return t.evRemoved(by, joinNames(change.removed, me, t, false, nameOf));
  if (change.roleChanged.length > 0) {
    return t.evRole(by, joinNames(change.roleChanged, me, t, false, nameOf), roleName(change.role, t));
  }
  const others = change.added.filter((user) => user !== message.sender);
  if (others.length === 0) return (message.seq ?? 0) > 1 ? t.evJoined(by) : t.evCreated(by);
  if (others.length === 1 && others[0] === me) return t.evAddedYou(by);
  return t.evAdded(by, joinNames(others, me, t, false, nameOf));
}

/** What changed in a group beside who came and went and its title. */
function groupText(message: Message, by: string, me: string, t: Words, nameOf: NameOf): string | undefined {
  const change = readGroupChange(message);
  if (!change) return undefined;
  const { changed, settings, attrs, user } = change;
  if (change.dissolved) return t.evDissolved(by);
  const who = user === "" ? "" : joinNames([user], me, t, false, nameOf);
  if (user !== "" && changed.includes("mutedUntil")) return attrs.mutedUntil === 0 ? t.evUnmuted(by, who) : t.evMuted(by, who);
  if (user !== "" && changed.includes("nickname")) {
    if (user === message.sender) return attrs.nickname === "" ? t.evNickGone(by) : t.evNickOwn(by, attrs.nickname);
    return t.evNick(by, who, attrs.nickname);
  }
  if (user !== "") return t.evMemberRoles(by, who);
  if (changed.includes("mutedUntil")) return settings?.mutedUntil === 0 ? t.evUnmutedAll(by) : t.evMutedAll(by);
  if (changed.includes("roles")) return t.evRoles(by);
  return t.evSettings(by);
}

/** A role in words. */
export function roleName(role: "member" | "admin" | "owner" | undefined, t: Words): string {
  return role === "owner" ? t.roleOwner : role === "admin" ? t.roleAdmin : t.roleMember;
}

/** A recalled message in words. In a group an admin may have recalled it, so nobody is named as the one who did. */
export function recalledText(message: Message, kind: ConversationKind, t: Words, nameOf: NameOf = asId): string {
  if (kind === "group") return message.mine ? t.recalledYours : t.recalledOf(nameOf(message.sender));
  return message.mine ? t.recalledYou : t.recalledOther(nameOf(message.sender));
}

/** What was written in a message: its text, or what was said with its files. */
export function writtenIn({ text, content }: Pick<Message, "text" | "content">): string {
  return text ?? (content?.type === "attachments" ? content.caption : "");
}

/** A message on one line, as a list or a quote shows it. */
export function previewText(message: Message, t: Words): string {
  if (message.recalled) return t.previewRecalled;
  if (message.delivery?.expired) return t.previewExpired;
  if (message.delivery?.burnAfterS && !message.mine) return t.previewBurns;
  if (message.kind === "text") {
    const text = message.text ?? "";
    return (detailsOf(message).format === "markdown" ? plainText(text) : text).replace(/\s+/gu, " ").trim();
  }
  const line = callLine(message);
  if (line) return callText(line, message.mine, t);
  if (message.kind === "content" && message.content) return contentText(message.content, t);
  if (message.kind === "custom") return message.custom?.summary || message.custom?.type || t.previewCustom;
  return t.previewUnreadable;
}

/** The line that a call leaves in its conversation: of one's own, or of somebody else's. */
export function callText({ kind, video, starter, seconds, reason, recorder }: CallLine, mine: boolean, t: Words, nameOf: NameOf = asId): string {
  const what = video ? t.callVideo : t.callVoice;
  switch (kind) {
    case "started":
      return t.callStarted(mine ? t.you : nameOf(starter), what);
    case "ended":
      return seconds > 0 ? t.callLasted(what, playTime(seconds * 1000)) : t.callEnded(what);
    case "recording":
      return t.callRecording(nameOf(recorder));
    case "recorded":
      return t.callRecorded(playTime(seconds * 1000));
    case "declined":
      return mine ? t.callDeclined(what) : t.callYouDeclined(what);
    case "missed":
      if (!mine) return reason === "busy" ? t.callMissedBusy(what) : t.callMissed(what);
      return reason === "busy" ? t.callBusy(what) : reason === "cancelled" ? t.callCancelled(what) : t.callNoAnswer(what);
  }
}

/** A content of another kind on one line. */
function contentText(content: MessageContent, t: Words): string {
  switch (content.type) {
    case "location":
      return t.previewLocation(content.name);
    case "contactCard":
      return t.previewCard(content.name || content.user);
    case "sticker":
      return t.previewSticker(content.alt);
    case "attachments":
      return filesText(content, t);
    case "merged":
      return t.previewMerged(content.title || String(content.count));
    case "notice":
      return content.text;
    case "poll":
      return content.question;
    case "topic":
      return content.name;
    default:
      return t.previewUnreadable;
  }
}

/** Files on one line: a sign of what they are, then what was said with them, or the word for them. */
export function filesText({ items, caption, format }: Extract<MessageContent, { type: "attachments" }>, t: Words): string {
  const said = plainCaption({ caption, format }).replace(/\s+/gu, " ").trim();
  const [sign, word] = filesWords(items, t);
  return `${sign} ${said || word}`;
}

/** What files are: a sign, and a word. */
function filesWords(items: readonly Attachment[], t: Words): readonly [sign: string, word: string] {
  const kinds = new Set(items.map(kindOf));
  const [kind] = kinds;
  const { duration = 0 } = items[0] ?? {};
  const name = shownName(items[0]?.name ?? "");
  if (kinds.size > 1 && items.every(inAlbum)) return ["📷", t.previewMedia(items.length)];
  if (kinds.size > 1 || kind === "file" || kind === undefined) return ["📎", t.previewFiles(items.length, name)];
  if (kind === "picture") return ["📷", t.previewPhotos(items.length)];
  if (kind === "film") return ["🎬", t.previewFilms(items.length)];
  if (kind === "voice") return ["🎤", t.previewVoice(playTime(duration))];
  return ["🎵", items.length === 1 ? name : t.previewFiles(items.length, name)];
}

/** The sign of what a search has found; empty when it is no message with files. */
export function foundSign(fields: Uint8Array | undefined, t: Words): string {
  const content = fields && readContent(fields);
  return content?.type === "attachments" ? `${filesWords(content.items, t)[0]} ` : "";
}

/** Whether a message is a line of the conversation itself, for `eventText`. */
export function isEvent({ kind, content }: Message): boolean {
  return kind === "members" || kind === "conversation" || (kind === "content" && content?.type === "pin");
}

/** The second line of a conversation in the list. */
export function listPreview(message: Message | undefined, kind: ConversationKind, me: string, t: Words, nameOf: NameOf = asId): string {
  if (!message) return t.previewEmpty;
  if (isEvent(message)) return eventText(message, me, t, nameOf);
  if (message.recalled) return recalledText(message, kind, t, nameOf);
  const line = callLine(message);
  if (line) return callText(line, line.starter === me, t, nameOf);
  const text = previewText(message, t);
  if (kind === "self") return text;
  if (message.mine) return t.previewYou(text);
  return kind === "group" ? `${nameOf(message.sender)}: ${text}` : text;
}

/** An error in words, by its code. */
export function errorText(code: ErrorCode, t: Words): string {
  switch (code) {
    case "unavailable":
    case "internal":
      return t.errUnavailable;
    case "not_found":
      return t.errNotFound;
    case "permission_denied":
      return t.errPermission;
    case "failed_precondition":
    case "already_exists":
      return t.errPrecondition;
    case "too_large":
    case "invalid_argument":
      return t.errInvalid;
    case "rate_limited":
      return t.errRate;
    case "resource_exhausted":
    case "storage":
      return t.errFull;
    case "unauthenticated":
    case "token_expired":
    case "signed_out":
      return t.errSignedOut;
    case "expired":
    case "clock_skew":
    case "client_id_reused":
      return t.errExpired;
    default:
      return t.errGeneric;
  }
}

/** Who is writing, undefined when nobody is. */
export function typingText(users: readonly string[], kind: ConversationKind, t: Words, nameOf: NameOf = asId): string | undefined {
  const [a, b] = users;
  if (a === undefined) return undefined;
  if (kind === "direct") return t.typing;
  if (b === undefined) return t.typingOne(nameOf(a));
  if (users.length === 2) return t.typingTwo(nameOf(a), nameOf(b));
  return t.typingMany(users.length);
}

/** The furthest seq that anybody else has read. */
export function readUpTo(markers: ReadonlyMap<string, { readonly seq: number }>): number {
  let max = 0;
  for (const { seq } of markers.values()) if (seq > max) max = seq;
  return max;
}
