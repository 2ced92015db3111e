// The page was loaded anew, or its tab closed, in the middle of a call: the way back.
import type { OwnCall } from "@skein/client/calls";
import { useStrings } from "../../i18n/strings.ts";
import { Button } from "../../ui/Button.tsx";
import { Icon } from "../../ui/Icon.tsx";
import type { AppCalls } from "../CallsContext.tsx";
import { strings } from "./strings.ts";
import { useWhere } from "./who.ts";

/** The banner. */
export function BackBanner({ call, model, busy }: { call: OwnCall; model: AppCalls; busy: string }) {
  const s = useStrings(strings);
  const { name, group } = useWhere(call.conversation);
  return (
    <section className="callring-bar" role="alertdialog" aria-label={s.comeBack}>
      <Icon name={call.video ? "video" : "call"} />
      <span className="callring-bar-text">
        <span>{group ? s.stillInGroup(name) : s.stillIn(name)}</span>
      </span>
      <span className="callring-bar-actions">
        <Button kind="danger" disabled={busy !== ""} onClick={() => void model.leave(call.id)}>
          {s.leave}
        </Button>
        <Button kind="primary" busy={busy === call.id} disabled={busy !== ""} onClick={() => void model.accept(call.id, { camera: call.video, microphone: true })}>
          {s.comeBack}
        </Button>
      </span>
    </section>
  );
}
