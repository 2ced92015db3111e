// What a group is like, for the components that show it, and until when one
// may not write.
import type { Conversation, ConversationSnapshot } from "@skein/client";
import type { Grant, GroupSettings, MemberAttrs, SendBlock } from "@skein/client/groups";
import { useCallback, useEffect, useState, useSyncExternalStore } from "react";
import { useClient } from "../live/context.tsx";

/** A group as this device knows it. */
export interface GroupView {
  readonly settings: GroupSettings | undefined;
  /** What the group keeps of the user. */
  readonly attrs: MemberAttrs;
  readonly may: (grant: Grant) => boolean;
  readonly rank: number;
}

/** A group's settings, and what the user may do in it. */
export function useGroup(conversation: Conversation): GroupView {
  const { groups } = useClient();
  const subscribe = useCallback(
    (changed: () => void) => {
      const off = [groups.onChange((id) => id === conversation.id && changed()), conversation.subscribe(changed)];
      return () => off.forEach((stop) => stop());
    },
    [groups, conversation],
  );
  const settings = useSyncExternalStore(subscribe, () => groups.settings(conversation));
  const attrs = useSyncExternalStore(subscribe, () => groups.attrs(conversation));
  return { settings, attrs, may: (grant) => groups.may(conversation, grant), rank: groups.rank(conversation) };
}

/** Why the user may not write now, asked again each second while it ends by itself. */
export function useBlock(conversation: Conversation, snapshot: ConversationSnapshot): SendBlock | undefined {
  const { groups } = useClient();
  useGroup(conversation);
  const [, tick] = useState(0);
  const block = snapshot.kind === "group" ? groups.block(conversation) : undefined;
  const until = block?.until ?? 0;
  useEffect(() => {
    if (until === 0) return;
    const timer = setInterval(() => tick((n) => n + 1), 500);
    return () => clearInterval(timer);
  }, [until]);
  return block;
}
