// Whom a call shows: the person who calls, or the group that it is in.
import type { Conversation } from "@skein/client";
import { useMemo } from "react";
import { colourId, conversationName } from "../../format/describe.ts";
import { useWords } from "../../i18n/context.tsx";
import { useClient } from "../../live/context.tsx";
import { useNames } from "../../people/names.tsx";

/** A conversation as a call shows it. */
export interface Where {
  readonly conversation: Conversation | undefined;
  /** What it is called: in a direct conversation, the other person. */
  readonly name: string;
  readonly group: boolean;
  /** What the avatar's colour and picture come from. */
  readonly sign: string;
}

/** The conversation of a call. */
export function useWhere(id: string): Where {
  const t = useWords();
  const client = useClient();
  const nameOf = useNames();
  const conversation = useMemo(() => {
    try {
      return id === "" ? undefined : client.conversation.get(id);
    } catch {
      return undefined;
    }
  }, [client, id]);
  if (!conversation) return { conversation, name: id, group: false, sign: id };
  const { snapshot } = conversation;
  return { conversation, name: conversationName(snapshot, t, nameOf), group: snapshot.kind === "group", sign: colourId(snapshot) };
}
