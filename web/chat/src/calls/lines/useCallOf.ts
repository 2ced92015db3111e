// The call of a conversation, and whether this user may start one there.
import type { Conversation, ConversationSnapshot } from "@skein/client";
import type { GroupCall, OwnCall } from "@skein/client/calls";
import { useCallback, useEffect, useRef, useSyncExternalStore } from "react";
import { useGroup, useBlock } from "../../groups/useGroup.ts";
import { useStrings } from "../../i18n/strings.ts";
import { useClient, useConnection } from "../../live/context.tsx";
import { usePeopleList } from "../../people/names.tsx";
import { useCalls, useCallsState } from "../CallsContext.tsx";
import { strings } from "./strings.ts";

/** The call of a group that its members can join; draws again when it changes. */
export function useGroupCall(conversation: string): GroupCall | undefined {
  const { calls } = useClient();
  const last = useRef<{ readonly text: string; readonly call: GroupCall | undefined }>({ text: "", call: undefined });
  const subscribe = useCallback((changed: () => void) => calls.on("changed", (event) => event.conversation === conversation && changed()), [calls, conversation]);
  return useSyncExternalStore(subscribe, () => {
    const call = calls.of(conversation);
    const text = call ? JSON.stringify(call) : "";
    if (text !== last.current.text) last.current = { text, call };
    return last.current.call;
  });
}

/** The call of a conversation that this user is in, with whatever device. */
export function useOwnCall(conversation: string): OwnCall | undefined {
  const { calls } = useClient();
  const subscribe = useCallback(
    (changed: () => void) => {
      const off = [calls.on("changed", changed), calls.on("accepted", changed), calls.on("ended", changed)];
      return () => off.forEach((stop) => stop());
    },
    [calls],
  );
  return useSyncExternalStore(subscribe, () => calls.now.find((call) => call.conversation === conversation && call.own === "joined"));
}

/** Whether a conversation is one where people call each other, and what is in the way of calling now, in words. */
export function useMayCall(conversation: Conversation, snapshot: ConversationSnapshot): { readonly shown: boolean; readonly obstacle: string | undefined } {
  const s = useStrings(strings);
  const client = useClient();
  const calls = useCalls();
  const { state } = useConnection(client);
  const { settings, may } = useGroup(conversation);
  const block = useBlock(conversation, snapshot);
  const blocked = usePeopleList("blocked");
  const { going, available } = useCallsState();
  const { kind, myRole, peer } = snapshot;
  const shown = kind === "direct" || (kind === "group" && myRole !== undefined && settings?.type !== "livestream");
  const online = state === "online";
  useEffect(() => {
    if (shown && online) calls?.ask();
  }, [calls, shown, online]);
  const obstacle =
    available === false ? s.noCalls
    : !online ? s.offline
    : kind === "group" && block?.reason === "muted" ? s.muted
    : kind === "group" && (!may("call") || block?.reason === "dissolved") ? s.notAllowed
    : kind === "direct" && blocked.some(({ user }) => user === peer) ? s.blocked
    : going ? s.inCall
    : undefined;
  return { shown, obstacle };
}
