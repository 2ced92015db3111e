// A poll in a message: its options are buttons that vote, with how often each was chosen.
import type { Message } from "@skein/client";
import { useStrings } from "../i18n/strings.ts";
import { useClient } from "../live/context.tsx";
import { useToasts } from "../ui/Toasts.tsx";
import { strings } from "./strings.ts";

export function PollCard({ message }: { message: Message }) {
  const { threads } = useClient();
  const { fail } = useToasts();
  const s = useStrings(strings);
  const poll = threads.tally(message);
  if (!poll) return null;
  const over = poll.closed || (poll.closes !== undefined && poll.closes <= Date.now());
  const mine = poll.options.filter((option) => option.mine).map(({ id }) => id);
  const choose = (id: string) => {
    const others = mine.filter((other) => other !== id);
    const next = mine.includes(id) ? others : [...(poll.maxChoices > 1 ? others : []), id];
    threads.vote(message, next).catch(fail);
  };
  return (
    <span className="bubble-poll" role="group" aria-label={poll.question}>
      <strong dir="auto">{poll.question}</strong>
      {poll.options.map(({ id, text, count, mine: chosen }) => (
        <button key={id} type="button" className="reaction" aria-pressed={chosen} disabled={over || message.state !== "sent"} onClick={() => choose(id)}>
          <span dir="auto">{text}</span> <span className="reaction-count">{s.votes(count)}</span>
          {chosen ? <span className="visually-hidden"> {s.chosen}</span> : null}
        </button>
      ))}
      {over ? (
        <em>{s.closed}</em>
      ) : message.mine && message.state === "sent" ? (
        <button type="button" className="event-action" onClick={() => void threads.closePoll(message).catch(fail)}>
          {s.closePoll}
        </button>
      ) : null}
    </span>
  );
}
