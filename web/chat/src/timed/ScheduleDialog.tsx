// Choosing when a message is sent: presets, or any minute within a year, in
// the time zone of whoever chooses.
import { useState } from "react";
import { useStrings } from "../i18n/strings.ts";
import { useWords } from "../i18n/context.tsx";
import { Button } from "../ui/Button.tsx";
import { Dialog } from "../ui/Dialog.tsx";
import { useToasts } from "../ui/Toasts.tsx";
import { strings } from "./strings.ts";

const morning = 9;
const year = 365 * 86_400_000;

/** A moment as an input of type datetime-local has it. */
export function localValue(at: Date): string {
  const two = (n: number) => String(n).padStart(2, "0");
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}T${two(at.getHours())}:${two(at.getMinutes())}`;
}

function morningIn(days: number): Date {
  const at = new Date();
  at.setDate(at.getDate() + days);
  at.setHours(morning, 0, 0, 0);
  return at;
}

interface ScheduleDialogProps {
  readonly onClose: () => void;
  readonly onChoose: (at: Date) => Promise<void>;
  readonly at?: Date;
}

/** The dialog. */
export function ScheduleDialog({ onClose, onChoose, at }: ScheduleDialogProps) {
  const t = useStrings(strings);
  const words = useWords();
  const { fail } = useToasts();
  const [value, setValue] = useState(() => localValue(at ?? new Date(Date.now() + 3_600_000)));
  const [busy, setBusy] = useState(false);
  const chosen = new Date(value);
  const wrong = Number.isNaN(chosen.getTime()) || chosen.getTime() <= Date.now() || chosen.getTime() > Date.now() + year;

  const choose = async (when: Date) => {
    setBusy(true);
    try {
      await onChoose(when);
      onClose();
    } catch (error) {
      fail(error);
    } finally {
      setBusy(false);
    }
  };

  return (
    <Dialog
      title={t.scheduleTitle}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{words.cancel}</Button>
          <Button kind="primary" busy={busy} disabled={wrong} onClick={() => void choose(chosen)}>
            {t.scheduleAction}
          </Button>
        </>
      }
    >
      <p className="hint">{t.scheduleText}</p>
      <div className="schedule-presets">
        <Button kind="soft" disabled={busy} onClick={() => void choose(new Date(Date.now() + 3_600_000))}>
          {t.inAnHour}
        </Button>
        <Button kind="soft" disabled={busy} onClick={() => void choose(morningIn(1))}>
          {t.tomorrow}
        </Button>
        <Button kind="soft" disabled={busy} onClick={() => void choose(morningIn(((8 - new Date().getDay()) % 7) || 7))}>
          {t.monday}
        </Button>
      </div>
      <label className="field">
        <span className="field-label">{t.when}</span>
        <input type="datetime-local" className="input" value={value} min={localValue(new Date())} onChange={(event) => setValue(event.target.value)} />
      </label>
      {wrong ? (
        <p className="field-error" role="alert">
          {t.inThePast}
        </p>
      ) : null}
    </Dialog>
  );
}
