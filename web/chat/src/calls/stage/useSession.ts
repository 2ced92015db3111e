import { useMemo, useSyncExternalStore } from "react";
import type { CallSession } from "../session.ts";
import { partiesOf, type Party } from "./parties.ts";

/** Draws again when the session changes. */
export function useSession(session: CallSession): number {
  return useSyncExternalStore(
    useMemo(() => (fn: () => void) => session.onChange(fn), [session]),
    () => session.version,
  );
}

/** Everybody in the room; draws again when that changes. */
export function useParties(session: CallSession): readonly Party[] {
  const version = useSession(session);
  // eslint-disable-next-line react-hooks/exhaustive-deps
  return useMemo(() => partiesOf(session), [session, version]);
}
