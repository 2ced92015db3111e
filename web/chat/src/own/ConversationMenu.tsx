// The menu of one conversation: in the list by the right button or a long press, in a thread behind its button.
import type { Conversation } from "@skein/client";
import { useState } from "react";
import { useStrings } from "../i18n/strings.ts";
import { Confirm } from "../ui/Dialog.tsx";
import { strings as threadStrings } from "../threadpane/strings.ts";
import { ThreadsDialog } from "../threadpane/ThreadsDialog.tsx";
import { MenuItem, Popover, type MenuPlace } from "../ui/Menu.tsx";
import { FoldersDialog } from "./FoldersDialog.tsx";
import { strings } from "./strings.ts";
import { useOwn, useOwnActions } from "./useOwn.ts";

interface ConversationMenuProps {
  readonly conversation: Conversation;
  readonly place: MenuPlace;
  readonly align?: "start" | "end";
  readonly onClose: () => void;
  /** Begins to select conversations in the list with this one. */
  readonly onSelect?: (() => void) | undefined;
}

const hourMs = 3_600_000;

/** The menu, and what it asks before it acts. */
export function ConversationMenu({ conversation, place, align = "start", onClose, onSelect }: ConversationMenuProps) {
  const s = useStrings(strings);
  const th = useStrings(threadStrings);
  const own = useOwn(conversation);
  const actions = useOwnActions();
  const [asking, setAsking] = useState<"menu" | "mute" | "clear" | "folders" | "threads">("menu");
  const one = [conversation];
  const then = (act: () => void) => () => {
    onClose();
    act();
  };
  if (asking === "clear") {
    return (
      <Confirm title={s.clearAsk} text={s.clearText} action={s.clearDo} danger onConfirm={then(() => actions.clear(conversation))} onClose={onClose} />
    );
  }
  if (asking === "folders") return <FoldersDialog conversation={conversation} onClose={onClose} />;
  if (asking === "threads") return <ThreadsDialog conversation={conversation} onClose={onClose} />;
  if (asking === "mute") {
    const choices: [string, number | undefined][] = [
      [s.hour, hourMs],
      [s.hours8, 8 * hourMs],
      [s.week, 7 * 24 * hourMs],
      [s.forever, undefined],
    ];
    return (
      <Popover key="mute" place={place} align={align} role="menu" label={s.muteFor} onClose={onClose}>
        {choices.map(([label, ms]) => (
          <MenuItem key={label} icon="muted" label={label} onSelect={then(() => actions.mute(one, ms && Date.now() + ms))} />
        ))}
      </Popover>
    );
  }
  const unread = own.markedUnread || conversation.unread > 0;
  return (
    <Popover key="menu" place={place} align={align} role="menu" label={s.menu} onClose={onClose}>
      {unread ? (
        <MenuItem icon="check" label={s.markRead} onSelect={then(() => actions.read(one))} />
      ) : (
        <MenuItem icon="unread" label={s.markUnread} onSelect={then(() => actions.unread(one))} />
      )}
      <MenuItem icon="pin" label={own.pinned ? s.unpin : s.pin} onSelect={then(() => actions.pin(one, !own.pinned))} />
      {own.muted ? (
        <MenuItem icon="muted" label={s.unmute} onSelect={then(() => actions.unmute(one))} />
      ) : (
        <MenuItem icon="muted" label={s.mute} onSelect={() => setAsking("mute")} />
      )}
      <MenuItem icon="notes" label={th.threads} onSelect={() => setAsking("threads")} />
      <MenuItem icon="folder" label={s.folders} onSelect={() => setAsking("folders")} />
      <MenuItem icon="archive" label={own.archived ? s.unarchive : s.archive} onSelect={then(() => actions.archive(one, !own.archived))} />
      <MenuItem icon="eye" label={s.hide} onSelect={then(() => actions.hide(one))} />
      {onSelect ? <MenuItem icon="check" label={s.select} onSelect={then(onSelect)} /> : null}
      <MenuItem icon="trash" label={s.clear} danger onSelect={() => setAsking("clear")} />
    </Popover>
  );
}
