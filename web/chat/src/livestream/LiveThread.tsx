// A livestream in the place of a conversation's messages: for members of its
// group, and for everybody else who was given its link.
import type { Conversation } from "@skein/client";
import { useEffect, useState } from "react";
import { formatRoute, go } from "../app/route.ts";
import { conversationName } from "../format/describe.ts";
import { InfoPanel } from "../group/InfoPanel.tsx";
import { useWords } from "../i18n/context.tsx";
import { useStrings } from "../i18n/strings.ts";
import { useConversation } from "../live/context.tsx";
import { useNames } from "../people/names.tsx";
import { ThreadHead } from "../thread/ThreadHead.tsx";
import { useOpenedIsRead } from "../thread/useReading.ts";
import { IconButton } from "../ui/Button.tsx";
import { useCopy } from "../ui/Toasts.tsx";
import { LiveRoom } from "./LiveRoom.tsx";
import { strings } from "./strings.ts";

/** The pane. */
export function LiveThread({ conversation }: { conversation: Conversation }) {
  const t = useWords();
  const s = useStrings(strings);
  const copy = useCopy();
  const snapshot = useConversation(conversation);
  const name = conversationName(snapshot, t, useNames());
  const [info, setInfo] = useState(false);
  const member = snapshot.myRole !== undefined;
  useOpenedIsRead(conversation);
  useEffect(() => {
    if (!member) setInfo(false);
  }, [member]);
  const share = (
    <IconButton
      icon="copy"
      label={s.copyLink}
      onClick={() => copy(new URL(formatRoute({ at: "live", id: conversation.id }), location.href).href)}
    />
  );
  return (
    <>
      <main className="thread" aria-label={member ? t.messagesOf(name) : s.title}>
        {member ? (
          <ThreadHead conversation={conversation} snapshot={snapshot} infoOpen={info} onInfo={() => setInfo(!info)}>
            {share}
          </ThreadHead>
        ) : (
          <header className="thread-head">
            <IconButton icon="back" label={t.back} className="thread-back" onClick={() => go({ at: "list" })} />
            <span className="thread-names live-names">
              <span className="thread-name">{s.title}</span>
              <span className="thread-sub">{conversation.id}</span>
            </span>
            {share}
          </header>
        )}
        <LiveRoom key={conversation.id} id={conversation.id} />
      </main>
      {info ? <InfoPanel conversation={conversation} snapshot={snapshot} onClose={() => setInfo(false)} /> : null}
    </>
  );
}
