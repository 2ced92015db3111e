// How far the other user of a direct conversation has it on a device, for the ticks.
import type { Conversation } from "@skein/client";
import { useEffect, useSyncExternalStore } from "react";
import { useClient } from "../live/context.tsx";

/** The furthest seq that is known to be delivered, 0 in other conversations; draws again when it grows. */
export function useDelivered(conversation: Conversation): number {
  const { receipts } = useClient();
  return useSyncExternalStore(
    (listener) => receipts.onDelivered((id) => id === conversation.id && listener()),
    () => receipts.deliveredSeq(conversation),
  );
}

/** Asks for what was missed when a conversation is opened, and when the connection is back. */
export function useWatchDelivered(conversation: Conversation): void {
  const { receipts } = useClient();
  useEffect(() => receipts.watch(conversation), [receipts, conversation]);
}
