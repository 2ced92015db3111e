// The members that an "@" offers, above the field.
import { useWords } from "../i18n/context.tsx";
import { useStrings } from "../i18n/strings.ts";
import { groups } from "../messages/calls.ts";
import { strings } from "../messages/strings.ts";
import { Avatar } from "../ui/Avatar.tsx";
import { useNames } from "../people/names.tsx";

interface MentionListProps {
  readonly users: readonly string[];
  /** Who is in the group: what is not an id of one of them calls many. */
  readonly members: readonly string[];
  readonly picked: number;
  readonly onPick: (user: string) => void;
}

/** A list that the field's arrow keys move in; the focus stays in the field. */
export function MentionList({ users, members, picked, onPick }: MentionListProps) {
  const t = useWords();
  const nameOf = useNames();
  const s = useStrings(strings);
  const many = (word: string) => (members.includes(word) ? undefined : groups.find(({ words }) => words.includes(word)));
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
          <Avatar id={user} name={many(user) ? "@" : nameOf(user)} size="s" />
          <span>{many(user) || nameOf(user) === user ? user : `${nameOf(user)} · ${user}`}</span>
          {many(user) ? <small>{{ all: s.everybody, here: s.here, owner: s.owners, admin: s.admins }[many(user)?.id ?? "all"]}</small> : null}
        </li>
      ))}
    </ul>
  );
}
