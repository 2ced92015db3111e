// The members that an "@" offers, above the field.
import { useWords } from "../i18n/context.tsx";
import { useStrings } from "../i18n/strings.ts";
import { groups, type NamedRole } from "../messages/calls.ts";
import { strings } from "../messages/strings.ts";
import { Avatar } from "../ui/Avatar.tsx";
import { useNames } from "../people/names.tsx";

interface MentionListProps {
  readonly users: readonly string[];
  /** Who is in the group: what is not an id of one of them calls many. */
  readonly members: readonly string[];
  /** The group's own roles. */
  readonly roles: readonly NamedRole[];
  readonly picked: number;
  readonly onPick: (user: string) => void;
}

/** A list that the field's arrow keys move in; the focus stays in the field. */
export function MentionList({ users, members, roles, picked, onPick }: MentionListProps) {
  const t = useWords();
  const nameOf = useNames();
  const s = useStrings(strings);
  /** Whom a word calls, in words; undefined for a user. */
  const many = (word: string) => {
    if (members.includes(word)) return undefined;
    if (roles.some(({ name }) => name === word)) return s.role;
    const group = groups.find(({ words }) => words.includes(word));
    return group && { all: s.everybody, here: s.here, owner: s.owners, admin: s.admins }[group.id];
  };
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
          {many(user) ? <small>{many(user)}</small> : null}
        </li>
      ))}
    </ul>
  );
}
