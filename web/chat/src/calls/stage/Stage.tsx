// The call itself: who is seen and heard.
import { useSyncExternalStore } from "react";
import { useStrings } from "../../i18n/strings.ts";
import { Button } from "../../ui/Button.tsx";
import type { CallSession } from "../session.ts";
import { strings } from "../strings.ts";

interface StageProps {
  readonly session: CallSession;
  /** It is shown in a corner, over the app. */
  readonly minimised: boolean;
  readonly onMinimise: (minimised: boolean) => void;
}

/** Draws it. */
export function Stage({ session }: StageProps) {
  const s = useStrings(strings);
  const state = useSyncExternalStore(
    (fn) => session.onChange(fn),
    () => session.state,
  );
  return (
    <div className="stage">
      <p role="status">{state === "connecting" ? s.connecting : s.call}</p>
      <Button kind="danger" onClick={() => void session.hangUp().catch(() => undefined)}>
        {s.hangUp}
      </Button>
    </div>
  );
}
