// The files on their way, for React.
import { useSyncExternalStore } from "react";
import { useClient } from "../../live/context.tsx";
import type { Transfer } from "../sdk.ts";

/** Those of a conversation, or all. */
export function useTransfers(conversation?: string): readonly Transfer[] {
  const { files } = useClient();
  return useSyncExternalStore(
    (listener) => files.onChange(listener),
    () => files.transfers(conversation),
  );
}
