// The thread below a message as this device knows it.
import type { Conversation, Message } from "@skein/client";
import type { Replies, ThreadState, ThreadView } from "@skein/client/threads";
import { useEffect, useReducer, useState, useSyncExternalStore } from "react";
import { useClient } from "../live/context.tsx";

/** Draws again when what was read or is followed in a conversation changes. */
export function useThreadMarks(conversation: string): void {
  const { threads } = useClient();
  const [, draw] = useReducer((n: number) => n + 1, 0);
  useEffect(() => threads.onChange((id) => id === conversation && draw()), [threads, conversation]);
}

/** What hangs below a message; undefined when nothing does. */
export function useReplies(message: Message): Replies | undefined {
  const { threads } = useClient();
  useThreadMarks(message.conversation);
  return threads.replies(message);
}

const nothing: ThreadState = { root: undefined, replies: [], atStart: false, atEnd: true, loading: true, error: undefined };
const never = () => () => undefined;

/** An open thread: read from the server once the component is there, closed when it goes; another `attempt` opens it anew. */
export function useThread(conversation: Conversation, root: number, attempt: number): { readonly view: ThreadView | undefined; readonly state: ThreadState } {
  const { threads } = useClient();
  const [view, setView] = useState<ThreadView>();
  useEffect(() => {
    const opened = threads.open(conversation, root);
    setView(opened);
    return () => {
      opened.close();
      setView(undefined);
    };
  }, [threads, conversation, root, attempt]);
  const state = useSyncExternalStore(view ? (listener) => view.subscribe(listener) : never, () => view?.state ?? nothing);
  return { view, state };
}

/** Takes messages in, each once, by what `order` says. */
export function merged(before: readonly Message[], added: readonly Message[], order: (a: Message, b: Message) => number): readonly Message[] {
  const bySeq = new Map(before.map((message) => [message.seq, message]));
  for (const message of added) bySeq.set(message.seq, message);
  return [...bySeq.values()].sort(order);
}
