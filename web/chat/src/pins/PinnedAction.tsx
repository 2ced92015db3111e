// Leads from the line that says that a message was pinned to the message.
import { useStrings } from "../i18n/strings.ts";
import { useMessageActions } from "../thread/actions.ts";
import { strings } from "./strings.ts";

/** The button in the line. */
export function PinnedAction({ seq }: { seq: number }) {
  const s = useStrings(strings);
  const { jump } = useMessageActions();
  return (
    <button type="button" className="event-action" onClick={() => jump(seq)}>
      {s.showIt}
    </button>
  );
}
