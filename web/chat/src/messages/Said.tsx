// The text of a message as it was meant, and what stands above it: whose it was first, and how it was sent.
import type { Message } from "@skein/client";
import { joinNames } from "../format/describe.ts";
import { exact } from "../format/time.ts";
import { useSpeech } from "../i18n/context.tsx";
import { useStrings } from "../i18n/strings.ts";
import { useClient } from "../live/context.tsx";
import { useNames } from "../people/names.tsx";
import { MessageText } from "../thread/MessageText.tsx";
import { Icon } from "../ui/Icon.tsx";
import { wordsOf } from "./calls.ts";
import { Markdown } from "./Markdown.tsx";
import { strings } from "./strings.ts";

/** Draws the text; words that call many are marked as names are. */
export function SaidText({ message, query, me }: { message: Message; query: string; me: string }) {
  const client = useClient();
  const details = client.messages.details(message);
  const own = details.mentionRoles.length > 0 ? client.groups.settings(client.conversation.get(message.conversation))?.roles : undefined;
  const words = wordsOf({ all: details.mentionAll, here: details.mentionHere, roles: details.mentionRoles }, own);
  const mentions = words.length === 0 ? message.mentions : [...message.mentions, ...words];
  const text = message.text ?? "";
  const body = details.format === "markdown" ? <Markdown text={text} mentions={mentions} query={query} me={me} /> : <MessageText text={text} mentions={mentions} query={query} me={me} />;
  return words.length > 0 && client.messages.mentionsMe(message) ? <span className="calls-me">{body}</span> : body;
}

/** The line above: forwarded, for some, silent, high. */
export function Marks({ message }: { message: Message }) {
  const { t, tag } = useSpeech();
  const s = useStrings(strings);
  const client = useClient();
  const nameOf = useNames();
  const { forwarded, imported } = client.messages.details(message);
  const { toUsers = [], silent = false, priority = 0 } = message.delivery ?? {};
  if (!forwarded && !imported && toUsers.length === 0 && !silent && priority === 0) return null;
  return (
    <span className="marks">
      {forwarded ? (
        <span className="mark mark-forwarded">
          <Icon name="switchUser" size={14} /> {s.forwardedFrom(nameOf(forwarded.sender))}
        </span>
      ) : null}
      {imported ? (
        <span className="mark mark-imported">
          <Icon name="history" size={14} /> {s.firstSent(exact(imported, tag))}
        </span>
      ) : null}
      {toUsers.length > 0 ? (
        <span className="mark mark-to">
          <Icon name="eye" size={14} /> {s.onlyTo(joinNames(toUsers, client.userId, t, false, nameOf))}
        </span>
      ) : null}
      {silent ? (
        <span className="mark" role="img" aria-label={s.silent} title={s.silent}>
          <Icon name="moon" size={14} />
        </span>
      ) : null}
      {priority === 1 ? (
        <span className="mark mark-high">
          <Icon name="alert" size={14} /> {s.high}
        </span>
      ) : null}
      {priority === 2 ? (
        <span className="mark">
          <Icon name="down" size={14} /> {s.low}
        </span>
      ) : null}
    </span>
  );
}
