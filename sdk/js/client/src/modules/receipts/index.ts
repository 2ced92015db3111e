/**
 * Who has got and who has read a message, in groups of any size, and told at once between two:
 * `createClient({ …, modules: { receipts: receipts() } })` gives `client.receipts`.
 *
 * @packageDocumentation
 */
import { type CallOptions, type Module, type ModuleHost, type Unsubscribe, defineModule } from "../../module.js";
import type { Conversation } from "../../types/conversation.js";
import type { Message } from "../../types/message.js";
import { calls, serverFrameFields } from "./wire.js";

/** How far a message has come with a member: no device is known to have it, one has stored it, or they have read it. */
export type ReceiptState = "none" | "delivered" | "read";

/** How far a message has come with one member. */
export interface Receipt {
  readonly user: string;
  readonly state: ReceiptState;
}

/** What `client.receipts` offers. */
export interface Receipts {
  /**
   * Pages of those who are members now and were when the message was sent, its sender aside, by user id; with `state` only
   * those who are so far. What a device has acknowledged in the last seconds may be missing.
   */
  list(message: Message, options?: CallOptions & { readonly state?: ReceiptState | undefined; readonly limit?: number | undefined }): AsyncGenerator<readonly Receipt[]>;
  /**
   * Up to which seq of a direct conversation a device of the other user is known to have it: what the server has told since
   * this client began, and what they have read, which includes what they have written. 0 in other conversations.
   */
  deliveredSeq(conversation: Conversation): number;
  /** Calls `listener` when `deliveredSeq` of a conversation has grown, apart from what they have read. */
  onDelivered(listener: (conversation: string) => void): Unsubscribe;
  /**
   * Keeps `deliveredSeq` fresh while a direct conversation is on the screen: asks the server how far the own messages have come now,
   * and whenever the connection was away. Of what is delivered meanwhile the server tells by itself.
   */
  watch(conversation: Conversation): Unsubscribe;
}

const states: readonly ReceiptState[] = ["none", "delivered", "read"];

/** Receipts, for `createClient`'s `modules`. */
export const receipts = (): Module<Receipts> => defineModule(makeReceipts);

function makeReceipts(host: ModuleHost): Receipts {
  const stored = new Map<string, number>();
  const listeners = new Set<(conversation: string) => void>();
  const grow = (conversation: string, seq: number): void => {
    if (seq <= (stored.get(conversation) ?? 0)) return;
    stored.set(conversation, seq);
    for (const listener of listeners) listener(conversation);
  };
  host.onFrame((fields) => {
    const { delivered } = serverFrameFields.read(fields);
    if (delivered) grow(delivered.conversation, delivered.seq);
  });

  async function* list(
    { conversation, seq = 0 }: Message,
    { state, limit = 100, signal }: CallOptions & { readonly state?: ReceiptState | undefined; readonly limit?: number | undefined } = {},
  ): AsyncGenerator<readonly Receipt[]> {
    let page = "";
    do {
      const request = { conversation, seq, state: state ? states.indexOf(state) + 1 : 0, limit, page };
      const answer = await host.call(calls.ListReceipts, request, { signal });
      if (answer.receipts.length) yield answer.receipts.map((one) => ({ user: one.user, state: states[one.state - 1] ?? "none" }));
      page = answer.nextPage;
    } while (page);
  }

  function deliveredSeq({ id, kind, head, readMarkers }: Conversation): number {
    if (kind !== "direct") return 0;
    let most = stored.get(id) ?? 0;
    if (most > head.seq) most = 0; // of a journal that was put back to an earlier state
    for (const { seq } of readMarkers.values()) most = Math.max(most, seq);
    return most;
  }

  async function ask(conversation: Conversation): Promise<void> {
    const all = conversation.messages.length ? conversation.messages : conversation.lastMessage ? [conversation.lastMessage] : [];
    const known = deliveredSeq(conversation);
    const own = all.filter(({ mine, state, seq = 0 }) => mine && state === "sent" && seq > known);
    // The newest first; where it has not arrived, the newest that has is searched by halves.
    let [arrived, missing] = [-1, own.length];
    for (let at = missing - 1; arrived < missing - 1; at = (arrived + missing) >> 1) {
      const message = own[at];
      if (!message?.seq) return;
      let has = false;
      for await (const page of list(message)) has ||= page.some(({ state }) => state !== "none");
      if (has) grow(conversation.id, message.seq);
      [arrived, missing] = has ? [at, missing] : [arrived, at];
    }
  }

  return {
    list,
    deliveredSeq,
    onDelivered(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    watch(conversation) {
      if (conversation.kind !== "direct") return () => undefined;
      // What cannot be asked now is asked when the connection is back.
      const look = (): void => {
        if (host.state === "online") ask(conversation).catch(() => undefined);
      };
      const opened = conversation.window.opened ? undefined : conversation.subscribe(() => {
        if (!conversation.window.opened || conversation.window.loading !== "none") return;
        opened?.();
        look();
      });
      look();
      const off = host.on("state", ({ state }) => {
        if (state === "online") look();
      });
      return () => {
        opened?.();
        off();
      };
    },
  };
}
