// The line under a message that others answered in its thread.
import type { Message } from "@skein/client";
import { go } from "../app/route.ts";
import { ago } from "../format/time.ts";
import { useSpeech } from "../i18n/context.tsx";
import { useStrings } from "../i18n/strings.ts";
import { useNow } from "../live/now.ts";
import { useNames } from "../people/names.tsx";
import { Avatar } from "../ui/Avatar.tsx";
import { Icon } from "../ui/Icon.tsx";
import { strings } from "./strings.ts";
import { useReplies } from "./useReplies.ts";

/** Opens the thread of a message. */
export function openThread({ conversation, seq }: Message): void {
  if (seq) go({ at: "chat", id: conversation, thread: seq });
}

/** How many replies there are, who wrote them and when the last one came. Nothing for a message without. */
export function ThreadLine({ message }: { message: Message }) {
  const s = useStrings(strings);
  const replies = useReplies(message);
  if (!replies || replies.count === 0) return null;
  return (
    <button type="button" className="thread-line" tabIndex={-1} onClick={() => openThread(message)}>
      <Faces users={replies.users} />
      <span className="thread-line-count">{s.replies(replies.count)}</span>
      <LastReply time={replies.lastTime} />
      {replies.unread > 0 ? (
        <span className="badge">
          <span aria-hidden="true">{replies.unread > 99 ? "99+" : replies.unread}</span>
          <span className="visually-hidden">{s.unread(replies.unread)}</span>
        </span>
      ) : null}
    </button>
  );
}

/** The first five who replied. */
export function Faces({ users }: { users: readonly string[] }) {
  const nameOf = useNames();
  return (
    <span className="thread-faces">
      {users.slice(0, 5).map((user) => (
        <Avatar key={user} id={user} name={nameOf(user)} size="s" />
      ))}
    </span>
  );
}

/** When the newest reply came. */
export function LastReply({ time }: { time: number }) {
  const { t, tag } = useSpeech();
  const s = useStrings(strings);
  const now = useNow("minute");
  return (
    <time className="thread-line-last" dateTime={new Date(time).toISOString()}>
      {s.last(ago(time, now, tag, t))}
    </time>
  );
}

/** A topic's root as a message. */
export function TopicCard({ message }: { message: Message }) {
  const s = useStrings(strings);
  const { content } = message;
  if (content?.type !== "topic") return null;
  return (
    <span className="topic-card">
      <small>
        {s.topic}
        {content.closed ? ` · ${s.topicClosed}` : ""}
      </small>
      <strong dir="auto">{[content.icon, content.name].filter(Boolean).join(" ")}</strong>
      {message.state === "sent" ? (
        <button type="button" className="event-action" tabIndex={-1} onClick={() => openThread(message)}>
          <Icon name="reply" size={16} /> {s.openThread}
        </button>
      ) : null}
    </span>
  );
}
