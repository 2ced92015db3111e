// The menu of a message: quick reactions and what can be done with it.
import type { ConversationSnapshot, Message } from "@skein/client";
import { detailsOf } from "@skein/client/messages";
import { quickReactions } from "../emoji/data.ts";
import { strings as extensionStrings } from "../extensions/strings.ts";
import { filesOfMessage, mayCopyPicture } from "../files/actions.ts";
import { strings as fileStrings } from "../files/strings.ts";
import { writtenIn } from "../format/describe.ts";
import { useWords } from "../i18n/context.tsx";
import { useStrings } from "../i18n/strings.ts";
import { strings } from "../messages/strings.ts";
import { strings as ownStrings } from "../own/strings.ts";
import { strings as pinStrings } from "../pins/strings.ts";
import { strings as threadStrings } from "../threadpane/strings.ts";
import { IconButton } from "../ui/Button.tsx";
import { MenuItem, Popover, type MenuPlace } from "../ui/Menu.tsx";

interface MessageMenuProps {
  readonly message: Message;
  readonly place: MenuPlace;
  readonly snapshot: ConversationSnapshot;
  /** How many others have read it. */
  readonly readers: number;
  /** What can be done about its pin; undefined when nothing. */
  readonly pin: "pin" | "unpin" | undefined;
  /** How many extensions it has; undefined where they are not offered. */
  readonly extensions: number | undefined;
  readonly onClose: () => void;
  readonly onReact: (emoji: string) => void;
  readonly onMoreEmoji: () => void;
  readonly onAction: (action: MessageMenuAction) => void;
}

/** What the menu can ask for. */
export type MessageMenuAction = "reply" | "thread" | "forward" | "select" | "pin" | "unpin" | "copy" | "edit" | "edits" | "readers" | "recall" | "hide" | "retry" | "discard" | "extensions" | "save" | "copyPicture";

/** Whether this user may recall a message: an own one, or any as owner or admin of the group. */
export function mayRecall(message: Message, snapshot: ConversationSnapshot): boolean {
  if (message.state !== "sent" || message.recalled) return false;
  return message.mine || (snapshot.kind === "group" && (snapshot.myRole === "owner" || snapshot.myRole === "admin"));
}

/** Whether this user may edit a message. */
export function mayEdit(message: Message): boolean {
  const captioned = message.content?.type === "attachments" && message.state === "sent" && !message.content.items.some(({ voice }) => voice);
  return message.mine && (message.kind === "text" || captioned) && detailsOf(message).forwarded === undefined && !message.recalled && message.state !== "failed";
}

/** Whether the server may send a message on: not what is for some alone or is to go away. */
export function mayForward({ kind, delivery }: Message): boolean {
  const some = delivery !== undefined && (delivery.toUsers.length > 0 || delivery.expiresUs > 0 || delivery.burnAfterS > 0);
  return (kind === "text" || kind === "custom" || kind === "content") && !some;
}

/** Whether others may answer a message in its thread: a reply and what was recalled have none. */
export function mayBeginThread({ kind, state, recalled, delivery }: Message): boolean {
  return state === "sent" && !recalled && !delivery?.threadSeq && !delivery?.expired && kind !== "members" && kind !== "conversation";
}

/** The menu. */
export function MessageMenu({ message, place, snapshot, readers, pin, extensions, onClose, onReact, onMoreEmoji, onAction }: MessageMenuProps) {
  const t = useWords();
  const s = useStrings(strings);
  const o = useStrings(ownStrings);
  const p = useStrings(pinStrings);
  const th = useStrings(threadStrings);
  const x = useStrings(extensionStrings);
  const f = useStrings(fileStrings);
  const files = filesOfMessage(message);
  const sent = message.state === "sent";
  const member = snapshot.myRole !== undefined || snapshot.kind !== "group";
  return (
    <Popover place={place} role="menu" label={t.messageMenu} className="message-menu" align={message.mine ? "end" : "start"} onClose={onClose}>
      {sent && member ? (
        <div className="quick-reactions" role="presentation">
          {quickReactions.map((emoji) => (
            <button
              key={emoji}
              type="button"
              role="menuitem"
              tabIndex={-1}
              className="quick-reaction"
              aria-label={t.reactWith(emoji)}
              data-mine={message.reactions.some((reaction) => reaction.emoji === emoji && reaction.mine)}
              onClick={() => onReact(emoji)}
            >
              {emoji}
            </button>
          ))}
          <IconButton icon="plus" size={18} role="menuitem" tabIndex={-1} label={t.moreEmoji} onClick={onMoreEmoji} />
        </div>
      ) : null}
      {message.state === "failed" ? (
        <>
          <MenuItem icon="retry" label={t.retry} onSelect={() => onAction("retry")} />
          <MenuItem icon="trash" label={t.discard} danger onSelect={() => onAction("discard")} />
        </>
      ) : null}
      {sent && member ? <MenuItem icon="reply" label={t.reply} onSelect={() => onAction("reply")} /> : null}
      {member && mayBeginThread(message) ? <MenuItem icon="notes" label={th.replyInThread} onSelect={() => onAction("thread")} /> : null}
      {sent && !message.recalled && mayForward(message) ? (
        <>
          <MenuItem icon="switchUser" label={s.forward} onSelect={() => onAction("forward")} />
          <MenuItem icon="check" label={s.select} onSelect={() => onAction("select")} />
        </>
      ) : null}
      {pin ? <MenuItem icon="pin" label={p[pin]} onSelect={() => onAction(pin)} /> : null}
      {writtenIn(message) !== "" ? <MenuItem icon="copy" label={t.copyText} onSelect={() => onAction("copy")} /> : null}
      {sent && mayCopyPicture(message) ? <MenuItem icon="copy" label={f.copyPicture} onSelect={() => onAction("copyPicture")} /> : null}
      {sent && files.length > 0 ? <MenuItem icon="save" label={files.length === 1 ? f.save : f.saveAll} onSelect={() => onAction("save")} /> : null}
      {mayEdit(message) && member ? <MenuItem icon="edit" label={message.kind === "text" ? t.edit : f.editCaption} onSelect={() => onAction("edit")} /> : null}
      {message.edited && message.content?.type !== "poll" ? <MenuItem icon="history" label={t.editHistory} onSelect={() => onAction("edits")} /> : null}
      {message.mine && sent && snapshot.kind === "group" ? (
        <MenuItem icon="eye" label={readers > 0 ? t.readByCount(readers) : t.readBy} onSelect={() => onAction("readers")} />
      ) : null}
      {sent && !message.recalled && extensions !== undefined ? (
        <MenuItem icon="code" label={extensions > 0 ? x.count(extensions) : x.extensions} onSelect={() => onAction("extensions")} />
      ) : null}
      {mayRecall(message, snapshot) && member ? (
        <MenuItem icon="recall" label={t.recall} danger onSelect={() => onAction("recall")} />
      ) : null}
      {sent ? <MenuItem icon="trash" label={o.deleteForMe} danger onSelect={() => onAction("hide")} /> : null}
    </Popover>
  );
}
