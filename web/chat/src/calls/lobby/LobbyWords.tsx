// End-to-end encryption from the first moment of a call: the words are given
// before it begins, or while it rings.
import { useId, useState } from "react";
import { useStrings } from "../../i18n/strings.ts";
import { Button } from "../../ui/Button.tsx";
import { Icon } from "../../ui/Icon.tsx";
import { useCalls } from "../CallsContext.tsx";
import { canEncrypt } from "../media/words.ts";
import type { CallSession } from "../session.ts";
import { strings as recordings } from "../recordings/strings.ts";
import { useRecording } from "../recordings/useRecording.ts";
import { strings } from "../stage/strings.ts";

/** The field, and below it what holds. */
export function LobbyWords({ session }: { session: CallSession | undefined }) {
  const t = useStrings(strings);
  const model = useCalls();
  const id = useId();
  const [used, setUsed] = useState((session ? session.words : model?.words) ?? "");
  const [text, setText] = useState(used);
  const recorded = useStrings(recordings);
  const held = useRecording(session?.call.id ?? "") !== undefined && used === "";
  if (!canEncrypt()) return null;
  if (held) return <p className="hint lobby-words">{recorded.secretNot}</p>;
  const use = (words: string) => {
    setUsed(words);
    setText(words);
    if (session) void session.setWords(words || undefined);
    else model?.setWords(words);
  };
  return (
    <form
      className="lobby-part"
      onSubmit={(event) => {
        event.preventDefault();
        use(text.trim());
      }}
    >
      <label className="field-label" htmlFor={id}>
        {t.wordsTitle}
      </label>
      <div className="people-input">
        <input id={id} className="input" value={text} placeholder={t.words} autoComplete="off" autoCapitalize="none" spellCheck={false} onChange={(event) => setText(event.target.value)} />
        {used !== "" && text === used ? (
          <Button onClick={() => use("")}>{t.wordsOff}</Button>
        ) : (
          <Button kind="soft" submit disabled={text.trim() === "" && used === ""}>
            {t.wordsSet}
          </Button>
        )}
      </div>
      <p className="hint lobby-words" role="status">
        {used === "" ? (
          t.wordsSame
        ) : (
          <>
            <Icon name="lock" size={16} /> {t.wordsHold}
          </>
        )}
      </p>
    </form>
  );
}
