// Whether a call is being recorded, and what this user may do about it.
import type { RecordingMark } from "@skein/client/calls";
import { useSyncExternalStore } from "react";
import { useClient } from "../../live/context.tsx";

/** The mark of a call that this user is in; draws again when it changes. */
export function useRecording(call: string): RecordingMark | undefined {
  const { calls } = useClient();
  const own = useSyncExternalStore(
    (listener) => calls.on("changed", listener),
    () => calls.now.find(({ id }) => id === call),
  );
  return own?.recording;
}
