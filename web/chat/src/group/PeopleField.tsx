// A field for several user ids, with suggestions to press.
import { useId, useState } from "react";
import { useWords } from "../i18n/context.tsx";
import { Avatar } from "../ui/Avatar.tsx";
import { Button, IconButton } from "../ui/Button.tsx";
import { useNames } from "../people/names.tsx";

interface PeopleFieldProps {
  readonly label: string;
  readonly users: readonly string[];
  readonly suggestions: readonly string[];
  readonly onChange: (users: readonly string[]) => void;
}

/** Splits what was typed or pasted at white space and commas. */
export function splitUsers(text: string): string[] {
  return text.split(/[\s,，;；]+/u).filter((user) => user !== "" && new TextEncoder().encode(user).length <= 64);
}

/** Chosen people as chips, a field for the next one, and people one knows. */
export function PeopleField({ label, users, suggestions, onChange }: PeopleFieldProps) {
  const t = useWords();
  const nameOf = useNames();
  const id = useId();
  const [text, setText] = useState("");
  const add = (more: readonly string[]) => onChange([...new Set([...users, ...more])]);
  const take = () => {
    const typed = splitUsers(text);
    if (typed.length > 0) add(typed);
    setText("");
  };
  const open = suggestions.filter((user) => !users.includes(user));

  return (
    <div className="field">
      <label className="field-label" htmlFor={id}>
        {label}
      </label>
      {users.length > 0 ? (
        <ul className="chips" role="list">
          {users.map((user) => (
            <li key={user} className="chip">
              <Avatar id={user} name={nameOf(user)} size="s" />
              <span>{nameOf(user)}</span>
              <IconButton icon="close" size={16} label={t.removePerson(nameOf(user))} onClick={() => onChange(users.filter((u) => u !== user))} />
            </li>
          ))}
        </ul>
      ) : null}
      <div className="people-input">
        <input
          id={id}
          className="input"
          value={text}
          placeholder={t.groupAddHint}
          autoCapitalize="none"
          autoComplete="off"
          spellCheck={false}
          onChange={(event) => setText(event.target.value)}
          onBlur={take}
          onKeyDown={(event) => {
            if (event.nativeEvent.isComposing) return;
            if (event.key === "Enter" && text.trim() !== "") {
              event.preventDefault();
              take();
            } else if (event.key === "Backspace" && text === "") onChange(users.slice(0, -1));
          }}
        />
        <Button kind="soft" disabled={text.trim() === ""} onClick={take}>
          {t.addPerson}
        </Button>
      </div>
      <Suggestions users={open} onPick={(user) => add([user])} />
    </div>
  );
}

/** People one may mean. */
export function Suggestions({ users, onPick }: { users: readonly string[]; onPick: (user: string) => void }) {
  const t = useWords();
  const nameOf = useNames();
  if (users.length === 0) return null;
  return (
    <div role="group" aria-label={t.suggestions}>
      <span className="hint">{t.suggestions}</span>
      <ul className="suggestions" role="list">
        {users.slice(0, 8).map((user) => (
          <li key={user}>
            <button type="button" className="suggestion" onClick={() => onPick(user)}>
              <Avatar id={user} name={nameOf(user)} size="s" />
              <span>{nameOf(user)}</span>
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}
