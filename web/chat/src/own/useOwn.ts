// How the user has their conversations, for components, and what they do to them with a way back.
import type { Conversation, Message } from "@skein/client";
import type { Folder, ListOptions, Preferences } from "@skein/client/conversations";
import { useEffect, useMemo, useState, useSyncExternalStore } from "react";
import { useStrings } from "../i18n/strings.ts";
import { useClient } from "../live/context.tsx";
import { useToasts } from "../ui/Toasts.tsx";
import { strings } from "./strings.ts";

/** What the user has set of a conversation; draws again when it changes. */
export function useOwn(conversation: Conversation): Preferences {
  const { conversations } = useClient();
  return useSyncExternalStore(
    (listener) => conversations.subscribe(listener),
    () => conversations.of(conversation),
  );
}

/** The folders in their order. */
export function useFolders(): readonly Folder[] {
  const { conversations } = useClient();
  return useSyncExternalStore(
    (listener) => conversations.subscribe(listener),
    () => conversations.folders,
  );
}

/** The conversations to show, in the user's order. */
export function useListed({ folder, archived }: ListOptions): readonly Conversation[] {
  const { conversations } = useClient();
  const [change, setChange] = useState(0);
  useEffect(() => conversations.subscribe(() => setChange((n) => n + 1)), [conversations]);
  return useMemo(() => conversations.list({ folder, archived }), [conversations, folder, archived, change]);
}

/** What can be done to some conversations. Failures are shown; what takes something away can be undone. */
export interface OwnActions {
  pin(some: readonly Conversation[], on: boolean): void;
  mute(some: readonly Conversation[], until: number | undefined): void;
  unmute(some: readonly Conversation[]): void;
  read(some: readonly Conversation[]): void;
  unread(some: readonly Conversation[]): void;
  archive(some: readonly Conversation[], on: boolean): void;
  hide(some: readonly Conversation[]): void;
  clear(conversation: Conversation): void;
  deleteForMe(conversation: Conversation, messages: readonly Message[]): void;
}

/** The actions, with their notices. */
export function useOwnActions(): OwnActions {
  const { conversations: own } = useClient();
  const s = useStrings(strings);
  const { show, fail } = useToasts();
  return useMemo(() => {
    const each = (some: readonly Conversation[], act: (one: Conversation) => Promise<unknown>): void => {
      for (const one of some) act(one).catch(fail);
    };
    const told = (text: string, undo: () => void): void => show({ text, action: { label: s.undo, run: undo } });
    return {
      pin: (some, on) => each([...some].reverse(), (one) => (on ? own.pin(one) : own.unpin(one))),
      mute: (some, until) => each(some, (one) => own.mute(one, { until })),
      unmute: (some) => each(some, (one) => own.unmute(one)),
      read: (some) => each(some, (one) => own.markRead(one)),
      unread: (some) => each(some, (one) => own.markUnread(one)),
      archive: (some, on) => {
        each(some, (one) => (on ? own.archive(one) : own.unarchive(one)));
        if (on) told(s.didArchive(some.length), () => each(some, (one) => own.unarchive(one)));
      },
      hide: (some) => {
        each(some, (one) => own.hide(one));
        told(s.didHide(some.length), () => each(some, (one) => own.unhide(one)));
      },
      clear: (conversation) => {
        own.clearHistory(conversation).then((undo) => told(s.didClear, () => void undo().catch(fail)), fail);
      },
      deleteForMe: (conversation, messages) => {
        own.deleteForMe(conversation, messages).then((undo) => told(s.didDelete(messages.length), () => void undo().catch(fail)), fail);
      },
    };
  }, [own, s, show, fail]);
}
