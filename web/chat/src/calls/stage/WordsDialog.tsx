// The words that encrypt a call end to end.
import { useId, useState } from "react";
import { useWords } from "../../i18n/context.tsx";
import { useStrings } from "../../i18n/strings.ts";
import { Button } from "../../ui/Button.tsx";
import { Dialog } from "../../ui/Dialog.tsx";
import { canEncrypt } from "../media/words.ts";
import { strings as recordings } from "../recordings/strings.ts";
import { useRecording } from "../recordings/useRecording.ts";
import type { CallSession } from "../session.ts";
import { strings } from "./strings.ts";

/** The dialog. */
export function WordsDialog({ session, onClose }: { session: CallSession; onClose: () => void }) {
  const t = useStrings(strings);
  const words = useWords();
  const id = useId();
  const [text, setText] = useState(session.words ?? "");
  const on = session.words !== undefined;
  const recorded = useStrings(recordings);
  const can = canEncrypt();
  // Others may encrypt all the same, by a client that lets them: then what they send is not in it.
  const held = useRecording(session.call.id) !== undefined && !on;
  const use = (next: string | undefined) => {
    onClose();
    void session.setWords(next);
  };
  return (
    <Dialog
      title={t.wordsTitle}
      onClose={onClose}
      actions={
        <>
          {on ? (
            <Button kind="danger" onClick={() => use(undefined)}>
              {t.wordsOff}
            </Button>
          ) : (
            <Button onClick={onClose}>{words.cancel}</Button>
          )}
          {can && !held ? (
            <Button kind="primary" disabled={text.trim() === "" || text === session.words} onClick={() => use(text)}>
              {on ? t.wordsChange : t.wordsSet}
            </Button>
          ) : null}
        </>
      }
    >
      <p className="dialog-text">{!can ? t.wordsNone : held ? recorded.secretNot : t.wordsText}</p>
      {can && !held ? (
        <form
          className="field"
          onSubmit={(event) => {
            event.preventDefault();
            if (text.trim() !== "") use(text);
          }}
        >
          <label className="field-label" htmlFor={id}>
            {t.words}
          </label>
          <input id={id} className="input" value={text} autoComplete="off" autoCapitalize="none" spellCheck={false} onChange={(event) => setText(event.target.value)} />
          <p className="hint">{t.wordsRejoin}</p>
        </form>
      ) : null}
    </Dialog>
  );
}
