import { type Ask, type CallOptions, type Calls, given, pages } from "./calls.js";
import type { Entry, Extension, HistoryItem, PinnedMessage, Receipt, Revision } from "./wire.js";

/** Messages, as anybody, and what is attached to them. */
export interface Messages {
  /**
   * Sends a message as the user whom it names as sender, by that user's rules, or as the app itself when it names
   * none.
   */
  send(request: Ask<"MessageService/SendMessage", "conversation" | "body">, options?: CallOptions): Promise<Entry>;
  /** Replaces the body of a message that the app itself has sent. `permission_denied` for somebody else's. */
  editMessage(request: Ask<"MessageService/EditMessage", "conversation" | "seq" | "body">, options?: CallOptions): Promise<Entry>;
  /** Empties a message for everybody, whoever sent it and however old it is. */
  recallMessage(request: Ask<"MessageService/RecallMessage", "conversation" | "seq">, options?: CallOptions): Promise<Entry>;
  /** Adds a reaction of the app's, or takes it back. */
  reactToMessage(request: Ask<"MessageService/ReactToMessage", "conversation" | "seq" | "emoji">, options?: CallOptions): Promise<Entry>;
  /**
   * Sends messages on, as the app itself, each by itself or all merged into one. It returns what was sent, in order.
   */
  forwardMessages(request: Ask<"ForwardService/ForwardMessages", "from" | "seqs" | "to">, options?: CallOptions): Promise<readonly Entry[]>;
  /**
   * A conversation's messages before a position, newest first, each with its newest body and its reactions; before 0,
   * the default, it begins with the newest. `export` has what this leaves out.
   */
  history(conversation: string, before?: number, options?: CallOptions): AsyncGenerator<HistoryItem, void, undefined>;
  /** Returns every body that a message has had, oldest first. */
  edits(conversation: string, seq: number, options?: CallOptions): Promise<readonly Revision[]>;
  /** Tells how far a message has come with each member, by user id. */
  receipts(conversation: string, seq: number, options?: CallOptions): AsyncGenerator<Receipt, void, undefined>;
  /** Ends a poll. */
  closePoll(request: Ask<"PollService/ClosePoll", "conversation" | "seq">, options?: CallOptions): Promise<Entry | undefined>;
  /** Pins a message; a conversation has 100 pins at most. The entry is undefined when it was pinned already. */
  pinMessage(request: Ask<"PinService/PinMessage", "conversation" | "seq">, options?: CallOptions): Promise<Entry | undefined>;
  /** Takes a pin down. The entry is undefined when there was none. */
  unpinMessage(request: Ask<"PinService/UnpinMessage", "conversation" | "seq">, options?: CallOptions): Promise<Entry | undefined>;
  /** Returns a conversation's pinned messages, the newest pin first. */
  pins(conversation: string, options?: CallOptions): Promise<readonly PinnedMessage[]>;
  /** Attaches a value to a message under a key, or takes it away. */
  setExtension(request: Ask<"ExtensionService/SetExtension", "conversation" | "seq" | "extension">, options?: CallOptions): Promise<Entry | undefined>;
  /** Returns what is attached to a message, by key. */
  extensions(conversation: string, seq: number, options?: CallOptions): Promise<readonly Extension[]>;
}

export const messages = ({ ask }: Calls): Messages => ({
  send: async (request, options) => given((await ask("MessageService/SendMessage", request, options)).entry),
  editMessage: async (request, options) => given((await ask("MessageService/EditMessage", request, options)).entry),
  recallMessage: async (request, options) => given((await ask("MessageService/RecallMessage", request, options)).entry),
  reactToMessage: async (request, options) => given((await ask("MessageService/ReactToMessage", request, options)).entry),
  forwardMessages: async (request, options) => (await ask("ForwardService/ForwardMessages", request, options)).entries,
  async *history(conversation, before = 0, options) {
    for (let beforeSeq = before; ; ) {
      const answer = await ask("MessageService/ListMessages", { conversation, beforeSeq, limit: 200 }, options);
      yield* answer.items.toReversed();
      if (answer.atStart || answer.fromSeq === 0) return;
      beforeSeq = answer.fromSeq;
    }
  },
  edits: async (conversation, seq, options) => (await ask("MessageService/ListEdits", { conversation, seq }, options)).revisions,
  receipts: (conversation, seq, options) =>
    pages(async (page) => {
      const answer = await ask("ReceiptService/ListReceipts", { conversation, seq, limit: 200, page }, options);
      return [answer.receipts, answer.nextPage];
    }),
  closePoll: async (request, options) => (await ask("PollService/ClosePoll", request, options)).entry,
  pinMessage: async (request, options) => (await ask("PinService/PinMessage", request, options)).entry,
  unpinMessage: async (request, options) => (await ask("PinService/UnpinMessage", request, options)).entry,
  pins: async (conversation, options) => (await ask("PinService/ListPins", { conversation }, options)).pins,
  setExtension: async (request, options) => (await ask("ExtensionService/SetExtension", request, options)).entry,
  extensions: async (conversation, seq, options) => (await ask("ExtensionService/ListExtensions", { conversation, seq }, options)).extensions,
});
