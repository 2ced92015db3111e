// Makes a poll: the question, the options, how many of them, until when.
import type { OutgoingContent } from "@skein/client";
import { useId, useRef, useState, type KeyboardEvent } from "react";
import { flushSync } from "react-dom";
import { useWords } from "../i18n/context.tsx";
import { useStrings } from "../i18n/strings.ts";
import { useClient } from "../live/context.tsx";
import { Button, IconButton } from "../ui/Button.tsx";
import { Dialog } from "../ui/Dialog.tsx";
import "./polls.css";
import { strings } from "./strings.ts";

interface PollDialogProps {
  readonly onSend: (content: OutgoingContent) => void;
  readonly onClose: () => void;
}

interface Option {
  readonly key: number;
  readonly text: string;
}

// What the server takes.
const [fewest, most, questionBytes, optionBytes] = [2, 20, 512, 128];
const endings = [
  ["never", 0],
  ["inAnHour", 3_600_000],
  ["inADay", 86_400_000],
  ["inAWeek", 604_800_000],
] as const;

function bytes(text: string): number {
  return new TextEncoder().encode(text).length;
}

/** The dialog. */
export function PollDialog({ onSend, onClose }: PollDialogProps) {
  const t = useWords();
  const s = useStrings(strings);
  const { threads } = useClient();
  const id = useId();
  const [question, setQuestion] = useState("");
  const [options, setOptions] = useState<readonly Option[]>([
    { key: 1, text: "" },
    { key: 2, text: "" },
  ]);
  const [several, setSeveral] = useState(false);
  const [lasts, setLasts] = useState(0);
  const fields = useRef<HTMLDivElement>(null);
  const texts = options.map(({ text }) => text.trim()).filter((text) => text !== "");
  const twice = new Set(texts).size < texts.length;
  const tooLong = bytes(question.trim()) > questionBytes || texts.some((text) => bytes(text) > optionBytes);
  const ready = question.trim() !== "" && texts.length >= fewest && !twice && !tooLong;

  const field = (index: number) => fields.current?.querySelectorAll<HTMLInputElement>("input")[index];
  const add = (after: number) => {
    if (options.length >= most) return;
    const key = Math.max(...options.map((option) => option.key)) + 1;
    // At once: the next key that is typed belongs to the new option.
    flushSync(() => setOptions([...options.slice(0, after + 1), { key, text: "" }, ...options.slice(after + 1)]));
    field(after + 1)?.focus();
  };
  const remove = (index: number) => {
    flushSync(() => setOptions(options.filter((_, i) => i !== index)));
    field(Math.max(0, index - 1))?.focus();
  };
  /** Enter goes to the next option, and makes one behind the last. */
  const onKey = (event: KeyboardEvent, index: number) => {
    if (event.nativeEvent.isComposing) return;
    if (event.key === "Enter") {
      event.preventDefault();
      if (index < options.length - 1) field(index + 1)?.focus();
      else if (options[index]?.text.trim() !== "") add(index);
    } else if (event.key === "Backspace" && options[index]?.text === "" && options.length > fewest) {
      event.preventDefault();
      remove(index);
    }
  };
  const send = () =>
    onSend(threads.poll({ question: question.trim(), options: texts, maxChoices: several ? texts.length : 1, closes: lasts === 0 ? undefined : Date.now() + lasts }));

  return (
    <Dialog
      title={s.poll}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{t.cancel}</Button>
          <Button kind="primary" disabled={!ready} onClick={send}>
            {s.send}
          </Button>
        </>
      }
    >
      <label className="field">
        <span className="field-label">{s.question}</span>
        <input
          className="input"
          value={question}
          dir="auto"
          autoComplete="off"
          autoFocus
          onChange={(event) => setQuestion(event.target.value)}
          onKeyDown={(event) => {
            if (event.key !== "Enter" || event.nativeEvent.isComposing) return;
            event.preventDefault();
            field(0)?.focus();
          }}
        />
      </label>
      <div className="field" role="group" aria-labelledby={`${id}o`}>
        <span className="field-label" id={`${id}o`}>
          {s.options}
        </span>
        <div ref={fields} className="poll-fields">
          {options.map(({ key, text }, index) => (
            <div key={key} className="poll-field">
              <input
                className="input"
                value={text}
                dir="auto"
                autoComplete="off"
                aria-label={s.option(index + 1)}
                placeholder={s.option(index + 1)}
                onChange={(event) => setOptions(options.map((option) => (option.key === key ? { key, text: event.target.value } : option)))}
                onKeyDown={(event) => onKey(event, index)}
              />
              {options.length > fewest ? <IconButton icon="close" size={18} label={s.removeOption(index + 1)} onClick={() => remove(index)} /> : null}
            </div>
          ))}
        </div>
        {options.length < most ? (
          <Button kind="soft" onClick={() => add(options.length - 1)}>
            {s.addOption}
          </Button>
        ) : null}
        {twice || tooLong ? (
          <p className="field-error" role="alert">
            {twice ? s.twice : s.tooLong}
          </p>
        ) : null}
      </div>
      <label className="check-line">
        <input type="checkbox" checked={several} onChange={(event) => setSeveral(event.target.checked)} /> {s.several}
      </label>
      <label className="field">
        <span className="field-label">{s.closes}</span>
        <select className="input" value={lasts} onChange={(event) => setLasts(Number(event.target.value))}>
          {endings.map(([name, ms]) => (
            <option key={name} value={ms}>
              {s[name]}
            </option>
          ))}
        </select>
      </label>
    </Dialog>
  );
}
