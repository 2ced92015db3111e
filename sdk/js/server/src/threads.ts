import { type Ask, type CallOptions, type Calls, given, positions } from "./calls.js";
import type { Entry, HistoryItem } from "./wire.js";

/** Replies below a message, and the topics of a community. */
export interface Threads {
  /** Returns the replies below a message, newest first. */
  thread(conversation: string, root: number, options?: CallOptions): AsyncGenerator<HistoryItem, void, undefined>;
  /** Returns the messages of a conversation that have replies, the thread with the newest reply first. */
  threads(conversation: string, options?: CallOptions): AsyncGenerator<HistoryItem, void, undefined>;
  /** Opens a topic in a community. The seq of its entry names it in every other call. */
  createTopic(request: Ask<"ThreadService/CreateTopic", "conversation" | "name">, options?: CallOptions): Promise<Entry>;
  /** Changes a topic's name and icon. */
  updateTopic(request: Ask<"ThreadService/UpdateTopic", "conversation" | "rootSeq" | "name">, options?: CallOptions): Promise<Entry | undefined>;
  /** Lets nobody write into a topic any more, or opens it again. */
  closeTopic(request: Ask<"ThreadService/CloseTopic", "conversation" | "rootSeq">, options?: CallOptions): Promise<Entry | undefined>;
  /** Returns the topics of a community, oldest first. */
  topics(conversation: string, options?: CallOptions): AsyncGenerator<HistoryItem, void, undefined>;
}

export const threads = ({ ask }: Calls): Threads => ({
  async *thread(conversation, rootSeq, options) {
    for (let beforeSeq = 0; ; ) {
      const answer = await ask("ThreadService/ListThread", { conversation, rootSeq, beforeSeq, limit: 200 }, options);
      yield* answer.items.toReversed();
      beforeSeq = answer.items[0]?.entry?.seq ?? 0;
      if (answer.atStart || beforeSeq === 0) return;
    }
  },
  threads: (conversation, options) =>
    positions(async (beforeSeq) => {
      const answer = await ask("ThreadService/ListThreads", { conversation, beforeSeq, limit: 100 }, options);
      return [answer.roots, answer.nextBeforeSeq];
    }),
  createTopic: async (request, options) => given((await ask("ThreadService/CreateTopic", request, options)).entry),
  updateTopic: async (request, options) => (await ask("ThreadService/UpdateTopic", request, options)).entry,
  closeTopic: async (request, options) => (await ask("ThreadService/CloseTopic", request, options)).entry,
  topics: (conversation, options) =>
    positions(async (afterSeq) => {
      const answer = await ask("ThreadService/ListTopics", { conversation, afterSeq, limit: 200 }, options);
      return [answer.topics, answer.nextAfterSeq];
    }),
});
