// What the panel of a group offers about coming in.
import type { Conversation, ConversationSnapshot } from "@skein/client";
import { useState } from "react";
import { AnnouncementsDialog } from "../board/AnnouncementsDialog.tsx";
import { strings as boardStrings } from "../board/strings.ts";
import { useStrings } from "../i18n/strings.ts";
import { useClient } from "../live/context.tsx";
import { Button } from "../ui/Button.tsx";
import { AccessDialog } from "./AccessDialog.tsx";
import { InviteDialog } from "./InviteDialog.tsx";
import { RequestsDialog } from "./RequestsDialog.tsx";
import { strings } from "./strings.ts";
import { useWaiting } from "./useJoining.ts";

/** What a member may open, and what those who manage the group may. */
export function GroupAccess({ conversation, snapshot }: { conversation: Conversation; snapshot: ConversationSnapshot }) {
  const s = useStrings(strings);
  const b = useStrings(boardStrings);
  const waiting = useWaiting().get(conversation.id) ?? 0;
  const [shown, setShown] = useState<"invite" | "requests" | "access" | "announcements">();
  const { groups } = useClient();
  return (
    <section className="info-section group-access">
      <Button kind="soft" onClick={() => setShown("announcements")}>
        {b.announcements}
      </Button>
      {groups.may(conversation, "invite") ? (
        <Button kind="soft" onClick={() => setShown("invite")}>
          {s.invite}
        </Button>
      ) : null}
      {groups.may(conversation, "addMembers") ? (
        <Button kind="soft" onClick={() => setShown("requests")}>
          {s.requests}
          {waiting > 0 ? <span className="badge">{waiting}</span> : null}
        </Button>
      ) : null}
      {groups.may(conversation, "removeMembers") || groups.may(conversation, "manage") ? (
        <Button kind="soft" onClick={() => setShown("access")}>
          {s.banned}
        </Button>
      ) : null}
      {shown === "invite" ? <InviteDialog conversation={conversation} onClose={() => setShown(undefined)} /> : null}
      {shown === "announcements" ? <AnnouncementsDialog conversation={conversation} snapshot={snapshot} onClose={() => setShown(undefined)} /> : null}
      {shown === "requests" ? <RequestsDialog conversation={conversation} onClose={() => setShown(undefined)} /> : null}
      {shown === "access" ? <AccessDialog conversation={conversation} onClose={() => setShown(undefined)} /> : null}
    </section>
  );
}
