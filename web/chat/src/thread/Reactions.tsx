// The reactions under a message.
import type { Message } from "@skein/client";
import { joinNames } from "../format/describe.ts";
import { useWords } from "../i18n/context.tsx";
import { useNames } from "../people/names.tsx";
import { useMessageActions } from "./actions.ts";

/** One button for each emoji; pressing it adds or takes back one's own. */
export function Reactions({ message, me }: { message: Message; me: string }) {
  const t = useWords();
  const nameOf = useNames();
  const { toggleReaction } = useMessageActions();
  if (message.reactions.length === 0) return null;
  return (
    <div className="reactions">
      {message.reactions.map((reaction) => {
        const label = t.reactionBy(reaction.emoji, joinNames(reaction.users, me, t, false, nameOf));
        return (
          <button
            key={reaction.emoji}
            type="button"
            className="reaction"
            aria-pressed={reaction.mine}
            title={label}
            tabIndex={-1}
            onClick={() => toggleReaction(message, reaction.emoji)}
          >
            <span className="reaction-emoji">{reaction.emoji}</span>
            <span className="reaction-count">{reaction.count}</span>
            <span className="visually-hidden"> {label}</span>
          </button>
        );
      })}
    </div>
  );
}
