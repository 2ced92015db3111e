// From what is kept to what is shown, and from what the user gives to what is sent.
import { SkeinError } from "./error.js";
import { react } from "./reduce/positions.js";
import { deliveryOf, entryOptions } from "./reduce/reduction.js";
import { kinds } from "./reduce/state.js";
import type { CustomContent, MembersChange, Message, MessageContent, MessageKind, Outgoing, Role } from "./types/message.js";
import type { MessageRecord, OutboxRecord } from "./types/store.js";
import type { Body } from "./wire/schema.js";

export const roles: readonly (Role | undefined)[] = [undefined, "member", "admin", "owner"];

const schemeContent = 1;
const none: readonly never[] = [];
const noBytes = /* @__PURE__ */ new Uint8Array(0);

/** Who looks, and with which modules. */
export interface Viewer {
  readonly me: string;
  content(fields: Uint8Array): MessageContent;
}

export interface Shown {
  readonly kind: MessageKind;
  readonly text: string | undefined;
  readonly custom: CustomContent | undefined;
  readonly content: MessageContent | undefined;
  readonly members: MembersChange | undefined;
  readonly title: string | undefined;
}

/** What of a body this SDK can read. */
export function readBody(body: Body | undefined, viewer: Viewer): Shown {
  const content = body?.scheme === schemeContent ? body.content : undefined;
  const shown = { text: undefined, custom: undefined, content: undefined, members: undefined, title: undefined };
  if (content?.text) return { ...shown, kind: "text", text: content.text.text };
  if (content?.custom) return { ...shown, kind: "custom", custom: content.custom };
  if (content?.conversation) return { ...shown, kind: "conversation", title: content.conversation.title };
  if (!content?.members) return content?.rest ? { ...shown, kind: "content", content: viewer.content(content.rest) } : { ...shown, kind: "unreadable" };
  const { added, removed, left, roleChanged, role } = content.members;
  return { ...shown, kind: "members", members: { added, removed, left, roleChanged, role: roles[role] } };
}

/** The message that a record is, with what the user did to it and the server has not confirmed on top. */
export function showRecord(record: MessageRecord, viewer: Viewer, ops: readonly OutboxRecord[]): Message {
  const { me } = viewer;
  let { body, recalled, reactions } = record;
  let edited = record.version > 1;
  for (const op of ops) {
    if (op.op === "react") reactions = react(reactions, me, me, op.emoji, op.remove);
    else if (op.op === "edit" && !recalled) {
      body = op.body;
      edited = true;
    } else if (op.op === "recall") {
      body = undefined;
      recalled = true;
    }
  }
  const fields = { content: body?.content?.rest, entry: record.entryRest, item: record.itemRest };
  return {
    conversation: record.conversation,
    id: record.id,
    key: record.id ? `${record.sender}/${record.id}` : `#${record.seq}`,
    seq: record.seq,
    ord: record.ord,
    sender: record.sender,
    mine: record.sender === me && record.kind === kinds.message,
    time: Math.floor(record.time / 1000),
    ...readBody(body, viewer),
    delivery: record.delivery,
    fields: fields.content || fields.entry || fields.item ? fields : undefined,
    replyTo: body?.content?.replyToSeq || undefined,
    mentions: body?.content?.mentions ?? none,
    state: "sent",
    error: undefined,
    edited: edited && !recalled,
    recalled,
    reactions,
    pending: ops.length > 0,
  };
}

/** The local echo of a send. */
export function showItem(item: OutboxRecord, viewer: Viewer, ops: readonly OutboxRecord[]): Message {
  const record: MessageRecord = {
    conversation: item.conversation,
    seq: item.seq,
    ord: item.ord,
    id: item.id,
    kind: kinds.message,
    sender: viewer.me,
    time: item.ackTime || item.time,
    version: 1,
    body: item.body,
    recalled: false,
    folded: 0,
    asOf: item.seq,
    reactions: none,
    delivery: deliveryOf(entryOptions(item.options, item.ackTime || item.time)),
  };
  const message = showRecord(record, viewer, ops);
  return { ...message, seq: item.seq || undefined, ord: item.seq ? item.ord : undefined, state: item.state, error: item.error && failureOf(item) };
}

function failureOf({ error }: OutboxRecord): Message["error"] {
  return error && { code: error.code, message: error.message, hint: error.hint ?? "" };
}

const encoder = /* @__PURE__ */ new TextEncoder();

/** Limits of the protocol; the server's own come with the welcome and may be tighter. */
const maxTextBytes = 16_384;
const maxDataBytes = 16_384;
const maxMentions = 100;

function refuse(code: "invalid_argument" | "too_large", message: string): never {
  throw new SkeinError(code, message);
}

/** The body of what the user sends. Throws what the server would refuse. */
export function bodyOf(outgoing: Outgoing, conversation: string): Body {
  const { replyTo, mentions = none } = outgoing;
  let replyToSeq = 0;
  if (typeof replyTo === "number") replyToSeq = replyTo;
  else if (replyTo) {
    if (replyTo.conversation !== conversation) refuse("invalid_argument", "the message is of another conversation");
    replyToSeq = replyTo.seq ?? refuse("invalid_argument", "the message is not sent yet");
  }
  if (mentions.length > maxMentions) refuse("too_large", `over ${maxMentions} mentions`);
  const shared = { reaction: undefined, members: undefined, conversation: undefined, replyToSeq, mentions: [...mentions], rest: outgoing.content };
  if (outgoing.text !== undefined) {
    if (outgoing.text === "") refuse("invalid_argument", "a text has at least one character");
    if (encoder.encode(outgoing.text).length > maxTextBytes) refuse("too_large", `a text has at most ${maxTextBytes} bytes of UTF-8`);
    return { scheme: schemeContent, content: { text: { text: outgoing.text }, custom: undefined, ...shared }, opaque: noBytes };
  }
  const given = outgoing.custom;
  if (!given) return { scheme: schemeContent, content: { text: undefined, custom: undefined, ...shared }, opaque: noBytes };
  if (!/^[A-Za-z0-9._-]{1,64}$/.test(given.type)) refuse("invalid_argument", "a custom type is 1 to 64 of a-z A-Z 0-9 . _ -");
  const data = typeof given.data === "string" ? encoder.encode(given.data) : given.data.slice();
  if (data.length > maxDataBytes) refuse("too_large", `custom data has at most ${maxDataBytes} bytes`);
  const custom = { type: given.type, data, summary: given.summary ?? "" };
  if (encoder.encode(custom.summary).length > 256) refuse("too_large", "a summary has at most 256 bytes");
  return { scheme: schemeContent, content: { text: undefined, custom, ...shared }, opaque: noBytes };
}

/** The id of a direct conversation: the bytes' order of the two users, so that both find the same one. */
export function directId(a: string, b: string): string {
  const [first, second] = [a, b].map((user) => ({ user, bytes: encoder.encode(user) })) as [Named, Named];
  const [small, large] = before(first.bytes, second.bytes) ? [first, second] : [second, first];
  return `@${small.bytes.length}:${small.user}:${large.user}`;
}

interface Named {
  readonly user: string;
  readonly bytes: Uint8Array;
}

function before(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return a.length <= b.length;
}

/** The other user of a direct conversation. */
export function peerOf(id: string, me: string): string | undefined {
  const match = /^@(\d+):/.exec(id);
  if (!match) return undefined;
  const rest = encoder.encode(id.slice(match[0].length));
  const length = Number(match[1]);
  const decoder = new TextDecoder();
  const small = decoder.decode(rest.subarray(0, length));
  const large = decoder.decode(rest.subarray(length + 1));
  if (small === me) return large;
  return large === me ? small : undefined; // of two others: not a conversation of this user
}
