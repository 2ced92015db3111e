// A message by its place in a conversation, whether it is loaded or not.
import type { Conversation, Message } from "@skein/client";

/** The message at a seq; undefined when it is gone. */
export async function messageAt(conversation: Conversation, seq: number): Promise<Message | undefined> {
  const loaded = conversation.messages.find((message) => message.seq === seq);
  if (loaded) return loaded;
  for await (const page of conversation.history({ before: seq + 1, limit: 1 })) return page.find((message) => message.seq === seq);
  return undefined;
}
