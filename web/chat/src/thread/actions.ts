// What can be done with a message, for the rows deep inside the list. One
// object for the life of a thread, so that it never makes a row draw again.
import type { Message } from "@skein/client";
import { createContext, useContext } from "react";
import type { MenuPlace } from "../ui/Menu.tsx";

/** Everything that a row can ask of its thread. */
export interface MessageActions {
  /** Opens the menu of a message. */
  readonly menu: (message: Message, place: MenuPlace) => void;
  /** Opens the emoji picker for a message. */
  readonly pickReaction: (message: Message, place: MenuPlace) => void;
  /** Adds the user's reaction, or takes it back when it is there. */
  readonly toggleReaction: (message: Message, emoji: string) => void;
  readonly reply: (message: Message) => void;
  /** Selects the message, or lets it go. */
  readonly toggleSelected: (message: Message) => void;
  /** Shows the message at a seq, loading what lies around it. */
  readonly jump: (seq: number) => void;
  /** A message that is not in the conversation's list: one of the thread around the row. */
  readonly known?: (seq: number) => Message | undefined;
  readonly retry: (message: Message) => void;
  readonly discard: (message: Message) => void;
  readonly showEdits: (message: Message) => void;
  /** Shows who chose what in a poll. */
  readonly showVotes: (message: Message) => void;
  /** Asks whether to close a poll. */
  readonly closePoll: (message: Message) => void;
  /** The text of an own message that was recalled here a moment ago, undefined when it is not known any more. */
  readonly recalledText: (message: Message) => string | undefined;
  /** Puts that text into the composer. */
  readonly writeAgain: (text: string) => void;
}

/** See useMessageActions. */
export const MessageActionsContext = createContext<MessageActions | undefined>(undefined);

/** The actions of the thread around a row. */
export function useMessageActions(): MessageActions {
  const actions = useContext(MessageActionsContext);
  if (!actions) throw new Error("no thread above this row");
  return actions;
}
