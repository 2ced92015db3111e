// Who chose what in a poll, as it changes.
import type { Message } from "@skein/client";
import { useStrings } from "../i18n/strings.ts";
import { useClient } from "../live/context.tsx";
import { useNames } from "../people/names.tsx";
import { Avatar } from "../ui/Avatar.tsx";
import { Dialog } from "../ui/Dialog.tsx";
import { strings } from "./strings.ts";

/** The dialog. The server names the first 100 voters of each option. */
export function VotesDialog({ message, onClose }: { message: Message; onClose: () => void }) {
  const s = useStrings(strings);
  const nameOf = useNames();
  const poll = useClient().threads.tally(message);
  return (
    <Dialog title={s.whoVoted} onClose={onClose}>
      <p className="poll-question" dir="auto">
        {poll?.question}
      </p>
      {poll?.options.map(({ id, text, count, users }) => (
        <section key={id} className="poll-votes">
          <h3 className="field-label">
            <span dir="auto">{text}</span> · {s.votes(count)}
          </h3>
          <ul className="people" role="list">
            {users.map((user) => (
              <li key={user} className="person">
                <Avatar id={user} name={nameOf(user)} size="s" />
                <span className="person-name">{nameOf(user)}</span>
              </li>
            ))}
          </ul>
          {count > users.length ? <p className="hint">{s.more(count - users.length)}</p> : null}
        </section>
      ))}
    </Dialog>
  );
}
