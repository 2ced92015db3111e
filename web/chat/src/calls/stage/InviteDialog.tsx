// Calls more members of the group.
import { useMemo, useState } from "react";
import { useWords } from "../../i18n/context.tsx";
import { useStrings } from "../../i18n/strings.ts";
import { useClient, useConversation } from "../../live/context.tsx";
import { useMembers } from "../../group/useMembers.ts";
import { useNames } from "../../people/names.tsx";
import { Avatar } from "../../ui/Avatar.tsx";
import { Button, Spinner } from "../../ui/Button.tsx";
import { Dialog } from "../../ui/Dialog.tsx";
import { useToasts } from "../../ui/Toasts.tsx";
import type { CallSession } from "../session.ts";
import { strings } from "./strings.ts";
import { useMay } from "./useMay.ts";

/** The dialog: members who are neither in the call nor being called. */
export function InviteDialog({ session, onClose }: { session: CallSession; onClose: () => void }) {
  const t = useStrings(strings);
  const words = useWords();
  const client = useClient();
  const nameOf = useNames();
  const { fail } = useToasts();
  const conversation = useMemo(() => client.conversation.get(session.call.conversation), [client, session]);
  const may = useMay(session);
  const { list, more, hasMore } = useMembers(conversation, useConversation(conversation), false);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [find, setFind] = useState("");
  const [viewer, setViewer] = useState(session.call.role === "viewer");
  const [busy, setBusy] = useState(false);
  const there = new Set(session.call.parties.filter(({ state }) => state === "joined" || state === "ringing").map(({ user }) => user));
  const free = list?.map(({ user }) => user).filter((user) => !there.has(user) && user !== client.userId);
  const shown = free?.filter((user) => nameOf(user).toLocaleLowerCase().includes(find.trim().toLocaleLowerCase()));
  const turn = (user: string) => {
    const next = new Set(chosen);
    if (!next.delete(user)) next.add(user);
    setChosen(next);
  };
  const call = () => {
    setBusy(true);
    client.calls.invite(session.call.id, [...chosen], { role: viewer ? "viewer" : "publisher" }).then(onClose, (error: unknown) => {
      setBusy(false);
      fail(error);
    });
  };
  return (
    <Dialog
      title={t.inviteTitle}
      onClose={onClose}
      actions={
        free?.length === 0 ? null : (
          <>
            <Button onClick={onClose}>{words.cancel}</Button>
            <Button kind="primary" busy={busy} disabled={chosen.size === 0} onClick={call}>
              {t.inviteDo}
            </Button>
          </>
        )
      }
    >
      {!free ? (
        <Spinner />
      ) : free.length === 0 ? (
        <p className="dialog-text">{t.inviteNobody}</p>
      ) : (
        <>
          {free.length > 7 || hasMore ? <input className="input" type="search" aria-label={t.inviteWho} placeholder={t.inviteWho} value={find} onChange={(event) => setFind(event.target.value)} /> : null}
          <ul role="list" className="panel-list" aria-label={t.inviteWho}>
            {shown?.map((user) => (
              <li key={user}>
                <label className="panel-row panel-choice">
                  <input type="checkbox" checked={chosen.has(user)} onChange={() => turn(user)} />
                  <Avatar id={user} name={nameOf(user)} size="s" />
                  <span className="panel-name">{nameOf(user)}</span>
                </label>
              </li>
            ))}
          </ul>
          {hasMore ? <Button onClick={more}>{words.more}</Button> : null}
          {may.host ? (
            <label className="panel-row panel-choice">
              <input type="checkbox" checked={viewer} onChange={() => setViewer(!viewer)} />
              <span>{t.inviteRole}</span>
            </label>
          ) : null}
        </>
      )}
    </Dialog>
  );
}
