// The newest pinned announcement, below the head of a group.
import type { Conversation, ConversationSnapshot } from "@skein/client";
import { plainText } from "@skein/client/markdown";
import { useState } from "react";
import { useStrings } from "../i18n/strings.ts";
import { IconButton } from "../ui/Button.tsx";
import { Icon } from "../ui/Icon.tsx";
import { AnnouncementsDialog } from "./AnnouncementsDialog.tsx";
import { strings } from "./strings.ts";
import { useAnnouncements, useBoardLoaded } from "./useBoard.ts";

/** The banner; nothing where nothing is pinned, or where this version of it was hidden. */
export function AnnouncementBanner({ conversation, snapshot }: { conversation: Conversation; snapshot: ConversationSnapshot }) {
  const s = useStrings(strings);
  useBoardLoaded(conversation);
  const [first] = useAnnouncements(conversation);
  const [hidden, setHidden] = useState("");
  const [open, setOpen] = useState(false);
  const shown = first?.pinned && snapshot.myRole !== undefined && hidden !== `${first.id} ${first.updated}` ? first : undefined;
  return (
    <>
      {shown ? (
        <section className="announcement-banner" aria-label={s.announcement}>
          <Icon name="alert" size={20} />
          <button type="button" className="announcement-open" onClick={() => setOpen(true)}>
            <strong>{shown.title}</strong>
            <span className="hint">{plainText(shown.text)}</span>
          </button>
          <IconButton icon="close" size={18} label={s.hide} onClick={() => setHidden(`${shown.id} ${shown.updated}`)} />
        </section>
      ) : null}
      {open ? <AnnouncementsDialog conversation={conversation} snapshot={snapshot} onClose={() => setOpen(false)} /> : null}
    </>
  );
}
