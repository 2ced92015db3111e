// The red mark of a call that is being recorded, and the switch for its host.
import type { RecordingMark as Mark } from "@skein/client/calls";
import { useState } from "react";
import { clock } from "../../format/time.ts";
import { useSpeech, useWords } from "../../i18n/context.tsx";
import { useStrings } from "../../i18n/strings.ts";
import { useClient } from "../../live/context.tsx";
import { useNames } from "../../people/names.tsx";
import { Button } from "../../ui/Button.tsx";
import { Confirm, Dialog } from "../../ui/Dialog.tsx";
import { MenuItem } from "../../ui/Menu.tsx";
import { useToasts } from "../../ui/Toasts.tsx";
import { strings } from "./strings.ts";
import { useRecording } from "./useRecording.ts";
import "./recordings.css";

/** Says who records a call that this user is in, and since when; nothing while nobody does. `small`: the red dot alone is seen. */
export function RecordingMark({ call, small = false }: { call: string; small?: boolean }) {
  const mark = useRecording(call);
  return mark ? <Recorded mark={mark} small={small} /> : null;
}

/** Says it of any call. */
export function Recorded({ mark, small = false }: { mark: Mark; small?: boolean }) {
  const t = useStrings(strings);
  const { tag } = useSpeech();
  const { userId } = useClient();
  const nameOf = useNames();
  const mine = mark.user === userId;
  const said = t.mark(mine ? t.you : nameOf(mark.user), clock(mark.since, tag));
  return (
    <span className="recording-mark" role="status" title={said}>
      <span className="recording-dot" aria-hidden="true" />
      {small ? null : (
        <span className="recording-who" aria-hidden="true">
          {mine ? t.markYou : t.markShort(nameOf(mark.user))}
        </span>
      )}
      <span className="visually-hidden">{said}</span>
    </span>
  );
}

/** The entry of a menu that begins and ends a recording; `onSelect` closes the menu, and `ask` shows RecordQuestion. */
export function RecordItem({ call, ask, onSelect }: { call: string; ask: () => void; onSelect: () => void }) {
  const t = useStrings(strings);
  const { calls } = useClient();
  const { fail } = useToasts();
  const mark = useRecording(call);
  return (
    <MenuItem
      icon={mark ? "stop" : "record"}
      label={mark ? t.stop : t.record}
      onSelect={() => {
        onSelect();
        if (mark) calls.stopRecording(call).catch(fail);
        else ask();
      }}
    />
  );
}

/** Asks before a recording begins; `secret`: somebody in it encrypts, so none can. */
export function RecordQuestion({ call, secret, onClose }: { call: string; secret: boolean; onClose: () => void }) {
  const t = useStrings(strings);
  const words = useWords();
  const { calls } = useClient();
  const { fail } = useToasts();
  const [busy, setBusy] = useState(false);
  if (secret)
    return (
      <Dialog title={t.record} onClose={onClose} actions={<Button onClick={onClose}>{words.close}</Button>}>
        <p className="dialog-text">{t.recordSecret}</p>
      </Dialog>
    );
  return (
    <Confirm
      title={t.recordAsk}
      text={t.recordText}
      action={t.recordNow}
      busy={busy}
      onClose={onClose}
      onConfirm={() => {
        setBusy(true);
        calls.record(call).catch(fail).finally(onClose);
      }}
    />
  );
}
