// A poll in a message: its options vote, and show how many have chosen each.
import type { Message } from "@skein/client";
import { useEffect, useRef, useState } from "react";
import { exact } from "../format/time.ts";
import { useSpeech } from "../i18n/context.tsx";
import { useStrings } from "../i18n/strings.ts";
import { useClient } from "../live/context.tsx";
import { useMessageActions } from "../thread/actions.ts";
import { Icon } from "../ui/Icon.tsx";
import { roveFocus } from "../ui/roving.ts";
import { useToasts } from "../ui/Toasts.tsx";
import "./polls.css";
import { strings } from "./strings.ts";

/** Whether a poll takes no votes any more; draws again at the moment when it closes. */
function useOver(closed: boolean, closes: number | undefined): boolean {
  const [, draw] = useState(0);
  const left = closed || closes === undefined ? 0 : closes - Date.now();
  useEffect(() => {
    if (left <= 0) return;
    // A timer holds 24 days at most; it asks again then.
    const timer = setTimeout(() => draw((n) => n + 1), Math.min(left, 2 ** 31 - 1));
    return () => clearTimeout(timer);
  }, [left]);
  return closed || (closes !== undefined && left <= 0);
}

/** The card. */
export function PollCard({ message }: { message: Message }) {
  const { threads, groups, conversation } = useClient();
  const { fail } = useToasts();
  const { tag } = useSpeech();
  const s = useStrings(strings);
  const { showVotes, closePoll } = useMessageActions();
  const poll = threads.tally(message);
  const over = useOver(poll?.closed ?? false, poll?.closes);
  // What was pressed shows at once, and several presses become one vote after the other.
  const [wanted, setWanted] = useState<readonly string[]>();
  const [at, setAt] = useState(0);
  const sending = useRef<Promise<unknown>>(Promise.resolve());
  const latest = useRef<readonly string[]>(undefined);
  if (!poll) return null;
  const told = poll.options.filter(({ mine }) => mine).map(({ id }) => id);
  const mine = wanted ?? told;
  const many = poll.maxChoices > 1;
  const sent = message.state === "sent";
  const open = sent && !over;
  const counts = poll.options.map(({ id, count }) => count + Number(mine.includes(id)) - Number(told.includes(id)));
  const total = counts.reduce((sum, count) => sum + count, 0);
  const full = many && mine.length >= poll.maxChoices;
  const where = conversation.get(message.conversation);
  const mayClose = message.mine || (where.kind === "group" && groups.may(where, "recallOthers"));

  const vote = (next: readonly string[]) => {
    setWanted(next);
    latest.current = next;
    sending.current = sending.current
      .then(() => (latest.current === next ? threads.vote(message, next) : undefined))
      .catch(fail)
      .finally(() => latest.current === next && setWanted(undefined));
  };
  const choose = (id: string) => {
    const others = mine.filter((other) => other !== id);
    if (!many) vote(mine.includes(id) ? [] : [id]);
    else if (mine.includes(id)) vote(others);
    else if (!full) vote([...others, id]);
  };
  const hint = over ? s.closed : [many ? s.chooseMany : s.chooseOne, poll.closes === undefined ? "" : s.closesAt(exact(poll.closes, tag))].filter(Boolean).join(" · ");
  return (
    <div className="poll">
      <strong className="poll-question" dir="auto">
        {poll.question}
      </strong>
      <span className="poll-hint">{hint}</span>
      <div
        className="poll-options"
        role={many ? "group" : "radiogroup"}
        aria-label={poll.question}
        onKeyDown={(event) => {
          if (!roveFocus(event.currentTarget, ".poll-option", event.key, "vertical")) return;
          event.preventDefault();
          event.stopPropagation();
        }}
      >
        {poll.options.map(({ id, text }, index) => {
          const chosen = mine.includes(id);
          const count = counts[index] ?? 0;
          const share = total === 0 ? 0 : Math.round((100 * count) / total);
          return (
            <button
              key={id}
              type="button"
              className="poll-option"
              role={many ? "checkbox" : "radio"}
              aria-checked={chosen}
              aria-disabled={!open || (full && !chosen)}
              aria-label={`${text}, ${s.votes(count)}`}
              tabIndex={many || index === Math.min(at, poll.options.length - 1) ? 0 : -1}
              onFocus={() => setAt(index)}
              onClick={() => (open ? choose(id) : undefined)}
            >
              <span className="poll-box" data-many={many}>
                {chosen ? <Icon name="check" size={14} /> : null}
              </span>
              <span className="poll-text" dir="auto">
                {text}
              </span>
              <span className="poll-count">{count}</span>
              <span className="poll-bar">
                <span style={{ width: `${share}%` }} />
              </span>
            </button>
          );
        })}
      </div>
      <span className="poll-foot">
        {total === 0 ? (
          <span>{s.noVotes}</span>
        ) : (
          <button type="button" className="poll-action" title={s.showVotes} onClick={() => showVotes(message)}>
            {s.votes(total)}
          </button>
        )}
        {open && mine.length > 0 ? (
          <button type="button" className="poll-action" onClick={() => vote([])}>
            {s.takeBack}
          </button>
        ) : null}
        {open && mayClose ? (
          <button type="button" className="poll-action" onClick={() => closePoll(message)}>
            {s.closePoll}
          </button>
        ) : null}
      </span>
    </div>
  );
}
