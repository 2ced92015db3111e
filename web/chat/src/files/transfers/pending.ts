// Files on their way as messages of the thread: the same rows, at the place
// where they will stand, with the key that the message will have.
import type { Message } from "@skein/client";
import { useMemo, useState, useSyncExternalStore } from "react";
import { useClient } from "../../live/context.tsx";
import type { Attachment, Transfer, TransferItem } from "../sdk.ts";

function attachmentOf(item: TransferItem): Attachment {
  const { name, mime, size, width, height, durationMs, voice, waveform } = item;
  return { name, mime, size, url: "", width, height, duration: durationMs, thumb: undefined, sha256: undefined, file: "", poster: "", waveform, voice, animated: mime === "image/gif" };
}

/** The time at which an id of the seventh kind was made, milliseconds since 1970. */
export function timeOfId(id: string): number {
  return Number.parseInt(id.replaceAll("-", "").slice(0, 12), 16) || 0;
}

/** A transfer as a message that has not been stored. */
export function pendingMessage(transfer: Transfer, me: string): Message {
  const { conversation, clientId, items, caption, replyTo } = transfer;
  return {
    conversation,
    id: clientId,
    key: `${me}/${clientId}`,
    seq: undefined,
    ord: undefined,
    sender: me,
    mine: true,
    time: timeOfId(clientId),
    kind: "content",
    text: undefined,
    custom: undefined,
    content: { type: "attachments", items: items.map(attachmentOf), caption, format: undefined },
    delivery: undefined,
    fields: undefined,
    members: undefined,
    title: undefined,
    replyTo,
    mentions: [],
    state: "sending",
    error: undefined,
    edited: false,
    recalled: false,
    reactions: [],
    pending: true,
  };
}

/** What of a transfer its row shows beside its progress. */
function looksOf({ items, caption }: Transfer): string {
  return JSON.stringify([caption, items.map(({ name, mime, size, width, height, durationMs }) => [name, mime, size, width, height, durationMs])]);
}

interface Row {
  readonly looks: string;
  readonly message: Message;
}

/** The rows of what is on its way. A row is the same object, and so are all together, while only their progress changes. */
export class PendingRows {
  readonly #me: string;
  #rows = new Map<string, Row>();
  #list: readonly Message[] = [];

  constructor(me: string) {
    this.#me = me;
  }

  /** The rows of these transfers, in their order. */
  of(transfers: readonly Transfer[]): readonly Message[] {
    const before = this.#rows;
    this.#rows = new Map();
    const list = transfers.map((transfer) => {
      const looks = looksOf(transfer);
      const kept = before.get(transfer.id);
      const row = kept?.looks === looks ? kept : { looks, message: pendingMessage(transfer, this.#me) };
      this.#rows.set(transfer.id, row);
      return row.message;
    });
    if (list.length !== this.#list.length || list.some((message, i) => message !== this.#list[i])) this.#list = list;
    return this.#list;
  }
}

const none: readonly Message[] = [];

/** The messages of a conversation, or of a thread in it, with those on their way behind them. */
export function useWithPending(conversation: string, messages: readonly Message[], atEnd: boolean, thread = 0): readonly Message[] {
  const { userId, files } = useClient();
  const [rows] = useState(() => new PendingRows(userId));
  const known = useMemo(() => new Set(messages.filter(({ mine }) => mine).map(({ id }) => id)), [messages]);
  const pending = useSyncExternalStore(
    (listener) => files.onChange(listener),
    () => rows.of(files.transfers(conversation).filter(({ clientId, options, state }) => state !== "sent" && (options?.threadSeq ?? 0) === thread && !known.has(clientId))),
  );
  const shown = atEnd ? pending : none;
  return useMemo(() => (shown.length === 0 ? messages : [...messages, ...shown]), [messages, shown]);
}
