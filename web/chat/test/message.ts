// Messages for tests.
import type { Message } from "@skein/client";

/** A text message of bob's with a seq; anything of it can be given. */
export function message(seq: number, more: Partial<Message> = {}): Message {
  return {
    conversation: "c1",
    id: `id-${seq}`,
    key: `k${seq}`,
    seq,
    ord: seq,
    sender: "bob",
    mine: false,
    time: Date.UTC(2026, 2, 18, 12) + seq * 1000,
    kind: "text",
    text: `text ${seq}`,
    custom: undefined,
    content: undefined,
    delivery: undefined,
    fields: undefined,
    members: undefined,
    title: undefined,
    replyTo: undefined,
    mentions: [],
    state: "sent",
    error: undefined,
    edited: false,
    recalled: false,
    reactions: [],
    pending: false,
    ...more,
  };
}

/** Messages with the seqs from … to. */
export function messages(from: number, to: number): Message[] {
  return Array.from({ length: to - from + 1 }, (_, i) => message(from + i));
}
