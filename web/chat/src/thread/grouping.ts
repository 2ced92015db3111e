// What surrounds a message in the thread: the line of a new day, the line
// above the first unread one, and whether it stands in a group with its
// neighbours.
import type { Message } from "@skein/client";
import { sameDay } from "../format/time.ts";

/** What is drawn around a message. */
export interface Surroundings {
  /** The day's line is above it. */
  readonly day: boolean;
  /** The line of the unread ones is above it. */
  readonly unread: boolean;
  /** It begins a group: the sender's name is shown. */
  readonly first: boolean;
  /** It ends a group: the avatar and the bubble's tail are shown. */
  readonly last: boolean;
}

/** Messages of one sender that are this close stand together. */
const closeMs = 5 * 60_000;

function isBubble(message: Message): boolean {
  return !message.recalled && (message.kind === "text" || message.kind === "custom" || message.kind === "unreadable");
}

function together(a: Message | undefined, b: Message | undefined): boolean {
  return (
    a !== undefined &&
    b !== undefined &&
    isBubble(a) &&
    isBubble(b) &&
    a.sender === b.sender &&
    b.time - a.time < closeMs &&
    sameDay(a.time, b.time)
  );
}

/** Says what surrounds messages[i]. `unreadFrom` is the seq of the first unread message, 0 for none. */
export function surroundings(messages: readonly Message[], i: number, unreadFrom: number): Surroundings {
  const message = messages[i];
  if (!message) return { day: false, unread: false, first: true, last: true };
  const before = messages[i - 1];
  const after = messages[i + 1];
  const unread = isUnreadLine(message, before, unreadFrom);
  const unreadBelow = after !== undefined && isUnreadLine(after, message, unreadFrom);
  return {
    day: before === undefined || !sameDay(before.time, message.time),
    unread,
    first: unread || !together(before, message),
    last: unreadBelow || !together(message, after),
  };
}

function isUnreadLine(message: Message, before: Message | undefined, unreadFrom: number): boolean {
  if (unreadFrom === 0 || message.seq === undefined || message.seq < unreadFrom) return false;
  return before === undefined || (before.seq !== undefined && before.seq < unreadFrom);
}

/** The index of the message with this seq, -1 when it is not loaded. Acknowledged messages come first and ascend. */
export function indexOfSeq(messages: readonly Message[], seq: number): number {
  let low = 0;
  let high = messages.length - 1;
  while (low <= high) {
    const mid = (low + high) >> 1;
    const here = messages[mid]?.seq ?? Number.POSITIVE_INFINITY;
    if (here === seq) return mid;
    if (here < seq) low = mid + 1;
    else high = mid - 1;
  }
  return -1;
}
