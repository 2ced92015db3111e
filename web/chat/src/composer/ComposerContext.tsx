// The strip above the field: what is answered, or what is edited.
import type { Conversation, Message } from "@skein/client";
import { previewText } from "../format/describe.ts";
import { hue } from "../format/names.ts";
import { useWords } from "../i18n/context.tsx";
import { indexOfSeq } from "../thread/grouping.ts";
import { IconButton } from "../ui/Button.tsx";
import { Icon } from "../ui/Icon.tsx";
import { useNames } from "../people/names.tsx";

interface ComposerContextProps {
  readonly conversation: Conversation;
  /** A message, or from a kept draft its seq. */
  readonly replyTo: Message | number | undefined;
  readonly editing: Message | undefined;
  readonly onCancel: () => void;
}

/** Shows nothing when there is nothing. */
export function ComposerContext({ conversation, replyTo, editing, onCancel }: ComposerContextProps) {
  const t = useWords();
  const nameOf = useNames();
  if (replyTo === undefined && !editing) return null;
  const found = typeof replyTo === "number" ? conversation.messages[indexOfSeq(conversation.messages, replyTo)] : replyTo;
  const about = editing ?? found;
  const who = about ? (about.mine ? t.youObject : nameOf(about.sender)) : "…";
  return (
    <div className={`composer-context hue-${about && !about.mine ? hue(about.sender) : 6}`}>
      <Icon name={editing ? "edit" : "reply"} />
      <div className="composer-context-text">
        <span className="quote-name">{editing ? t.editing : t.replyingTo(who)}</span>
        <span className="quote-text" dir="auto">
          {about ? previewText(about, t).slice(0, 200) : t.quoteGone}
        </span>
      </div>
      <IconButton icon="close" size={20} label={editing ? t.cancelEdit : t.cancelReply} onClick={onCancel} />
    </div>
  );
}
