// The head of a thread: who or what it is, whether they are there, and the
// buttons for all that concerns the conversation as a whole.
import type { Conversation, ConversationSnapshot } from "@skein/client";
import { CallButtons } from "../calls/lines/CallButtons.tsx";
import { useState, type ReactNode } from "react";
import { go } from "../app/route.ts";
import { colourId, conversationName, typingText } from "../format/describe.ts";
import { ago } from "../format/time.ts";
import { useSpeech } from "../i18n/context.tsx";
import { TypingDots } from "../inbox/TypingDots.tsx";
import { usePresence } from "../live/context.tsx";
import { useNow } from "../live/now.ts";
import { useNames, useStatusText } from "../people/names.tsx";
import { useStrings } from "../i18n/strings.ts";
import { ConversationMenu } from "../own/ConversationMenu.tsx";
import { strings } from "../own/strings.ts";
import { placeOf, type MenuPlace } from "../ui/Menu.tsx";
import { Avatar } from "../ui/Avatar.tsx";
import { IconButton } from "../ui/Button.tsx";

interface ThreadHeadProps {
  readonly conversation: Conversation;
  readonly snapshot: ConversationSnapshot;
  readonly infoOpen: boolean;
  readonly onInfo: () => void;
  /** Undefined where there is nothing to search. */
  readonly onFind?: () => void;
  /** Further buttons. */
  readonly children?: ReactNode;
}

/** The bar at the top of a thread. */
export function ThreadHead({ conversation, snapshot, infoOpen, onInfo, onFind, children }: ThreadHeadProps) {
  const { t } = useSpeech();
  const nameOf = useNames();
  const name = conversationName(snapshot, t, nameOf);
  const presence = usePresence(snapshot.peer);
  const o = useStrings(strings);
  const [menu, setMenu] = useState<MenuPlace>();
  return (
    <header className="thread-head">
      <IconButton icon="back" label={t.back} className="thread-back" onClick={() => go({ at: "list" })} />
      <button type="button" className="thread-who" aria-expanded={infoOpen} onClick={onInfo}>
        <Avatar id={colourId(snapshot)} name={name} online={presence?.online} notes={snapshot.kind === "self"} />
        <span className="thread-names">
          <span className="thread-name">{name}</span>
          <span className="thread-sub">
            <SubTitle snapshot={snapshot} />
          </span>
        </span>
        <span className="visually-hidden">{t.info}</span>
      </button>
      <CallButtons conversation={conversation} snapshot={snapshot} />
      {onFind ? <IconButton icon="search" label={t.find} onClick={onFind} /> : null}
      {children}
      <IconButton icon="more" label={o.menu} aria-haspopup="menu" aria-expanded={menu !== undefined} onClick={(event) => setMenu(placeOf(event.currentTarget))} />
      {menu ? <ConversationMenu conversation={conversation} place={menu} align="end" onClose={() => setMenu(undefined)} /> : null}
      <IconButton icon="info" label={t.info} aria-expanded={infoOpen} className="thread-info" onClick={onInfo} />
    </header>
  );
}

function SubTitle({ snapshot }: { snapshot: ConversationSnapshot }) {
  const { t, tag } = useSpeech();
  const now = useNow("minute");
  const nameOf = useNames();
  const presence = usePresence(snapshot.peer);
  const status = useStatusText(presence);
  const typing = typingText(snapshot.typing, snapshot.kind, t, nameOf);
  if (typing) {
    return (
      <span className="thread-typing">
        {typing}
        <TypingDots />
      </span>
    );
  }
  if (snapshot.kind === "self") return t.notesHint;
  if (snapshot.kind === "group") return snapshot.memberCount > 0 ? t.members(snapshot.memberCount) : null;
  if (!presence) return null;
  if (status) return status;
  if (presence.online) return <span className="thread-online">{t.online}</span>;
  return presence.lastSeen === undefined ? t.offline : t.lastSeen(ago(presence.lastSeen, now, tag, t));
}
