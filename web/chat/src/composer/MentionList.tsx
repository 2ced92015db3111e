// The members that an "@" offers, above the field.
import { useWords } from "../i18n/context.tsx";
import { Avatar } from "../ui/Avatar.tsx";
import { useNames } from "../people/names.tsx";

interface MentionListProps {
  readonly users: readonly string[];
  readonly picked: number;
  readonly onPick: (user: string) => void;
}

/** A list that the field's arrow keys move in; the focus stays in the field. */
export function MentionList({ users, picked, onPick }: MentionListProps) {
  const t = useWords();
  const nameOf = useNames();
  return (
    <ul className="mentions" role="listbox" aria-label={t.mentionList}>
      {users.map((user, i) => (
        <li
          key={user}
          role="option"
          aria-selected={i === picked}
          onPointerDown={(event) => {
            event.preventDefault();
            onPick(user);
          }}
        >
          <Avatar id={user} name={nameOf(user)} size="s" />
          <span>{nameOf(user) === user ? user : `${nameOf(user)} · ${user}`}</span>
        </li>
      ))}
    </ul>
  );
}
