// What waits to be sent in a conversation, and what could not be: to change,
// to delete, to send at once.
import type { Scheduled } from "@skein/client/timed";
import { useCallback, useRef, useState } from "react";
import { errorText } from "../format/describe.ts";
import { exact } from "../format/time.ts";
import { useSpeech } from "../i18n/context.tsx";
import { useStrings } from "../i18n/strings.ts";
import { useClient } from "../live/context.tsx";
import { Button, Spinner } from "../ui/Button.tsx";
import { Dialog } from "../ui/Dialog.tsx";
import { useToasts } from "../ui/Toasts.tsx";
import { localValue } from "./ScheduleDialog.tsx";
import { strings } from "./strings.ts";

interface ScheduledDialogProps {
  readonly list: readonly Scheduled[] | undefined;
  readonly load: () => void;
  readonly onClose: () => void;
}

/** The list. */
export function ScheduledDialog({ list, load, onClose }: ScheduledDialogProps) {
  const t = useStrings(strings);
  const whole = useRef<HTMLDivElement>(null);
  // The button that was pressed goes with its message: the focus stays in the dialog.
  const changed = useCallback(() => {
    whole.current?.focus();
    load();
  }, [load]);
  return (
    <Dialog title={t.listTitle} onClose={onClose}>
      <div ref={whole} tabIndex={-1} className="scheduled-whole">
        {list === undefined ? <Spinner /> : null}
        {list?.length === 0 ? <p className="hint">{t.listNone}</p> : null}
        <ul className="scheduled" role="list">
          {list?.map((one) => (
            <Item key={one.id} one={one} load={changed} />
          ))}
        </ul>
      </div>
    </Dialog>
  );
}

function Item({ one, load }: { one: Scheduled; load: () => void }) {
  const t = useStrings(strings);
  const { t: words, tag } = useSpeech();
  const { timed } = useClient();
  const { fail } = useToasts();
  const [busy, setBusy] = useState(false);
  const [editing, setEditing] = useState(false);
  const run = (what: Promise<unknown>) => {
    setBusy(true);
    what
      .catch(fail)
      .finally(() => {
        setBusy(false);
        load();
      });
  };
  const state =
    one.state === "failed" ? t.failed(one.error ? errorText(one.error.code, words) : "") : one.state === "sending" ? t.sending : exact(one.sendAt, tag);
  return (
    <li className="scheduled-item" data-state={one.state}>
      <p className="scheduled-text" dir="auto">
        {one.text ?? one.custom?.summary ?? words.previewUnreadable}
      </p>
      <p className={one.state === "failed" ? "field-error" : "hint"}>{state}</p>
      {editing ? (
        <Edit
          one={one}
          onDone={(change) => {
            setEditing(false);
            if (change) run(timed.update(one, change));
          }}
        />
      ) : (
        <div className="scheduled-actions">
          <Button kind="soft" busy={busy} onClick={() => run(timed.sendNow(one))}>
            {t.now}
          </Button>
          {one.text === undefined ? null : <Button onClick={() => setEditing(true)}>{t.edit}</Button>}
          <Button kind="danger" onClick={() => run(timed.cancel(one))}>
            {t.cancelIt}
          </Button>
        </div>
      )}
    </li>
  );
}

function Edit({ one, onDone }: { one: Scheduled; onDone: (change?: { message?: { text: string }; at?: Date }) => void }) {
  const t = useStrings(strings);
  const { t: words } = useSpeech();
  const [text, setText] = useState(one.text ?? "");
  const [value, setValue] = useState(() => localValue(new Date(Math.max(one.sendAt, Date.now() + 60_000))));
  const at = new Date(value);
  return (
    <form
      className="scheduled-edit"
      onSubmit={(event) => {
        event.preventDefault();
        onDone({ message: { text: text.trim(), options: one.options } as { text: string }, at });
      }}
    >
      <textarea className="input" aria-label={t.text} rows={3} value={text} dir="auto" onChange={(event) => setText(event.target.value)} />
      <input type="datetime-local" className="input" aria-label={t.when} value={value} onChange={(event) => setValue(event.target.value)} />
      <div className="scheduled-actions">
        <Button kind="primary" submit disabled={text.trim() === "" || !(at.getTime() > Date.now())}>
          {t.save}
        </Button>
        <Button onClick={() => onDone()}>{words.cancel}</Button>
      </div>
    </form>
  );
}
