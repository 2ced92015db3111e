// Requests to join: those that wait for this user's answer, group by group, and
// this user's own.
import type { Conversation } from "@skein/client";
import type { JoinRequest } from "@skein/client/invites";
import { useEffect, useState } from "react";
import { conversationName } from "../format/describe.ts";
import { useWords } from "../i18n/context.tsx";
import { useStrings } from "../i18n/strings.ts";
import { useClient, useConversation } from "../live/context.tsx";
import { useNames } from "../people/names.tsx";
import { Avatar } from "../ui/Avatar.tsx";
import { Button, Spinner } from "../ui/Button.tsx";
import { Dialog } from "../ui/Dialog.tsx";
import { useToasts } from "../ui/Toasts.tsx";
import { strings } from "./strings.ts";
import { useList, useMine, useWaiting } from "./useJoining.ts";

/** The dialog; of one group, or of all. */
export function RequestsDialog({ conversation, onClose }: { conversation?: Conversation | undefined; onClose: () => void }) {
  const s = useStrings(strings);
  const client = useClient();
  const waiting = useWaiting();
  // A group stays while the dialog is open, also when its last request was answered.
  const [groups, setGroups] = useState<readonly string[]>(conversation ? [conversation.id] : []);
  useEffect(() => {
    if (!conversation) setGroups((now) => [...new Set([...now, ...waiting.keys()])]);
  }, [conversation, waiting]);
  return (
    <Dialog title={s.requests} onClose={onClose}>
      {groups.length === 0 ? <p className="info-note hint">{s.noRequests}</p> : null}
      {groups.map((id) => (
        <GroupRequests key={id} conversation={client.conversation.get(id)} open={waiting.get(id) ?? 0} titled={conversation === undefined} />
      ))}
      {conversation ? null : <Mine />}
    </Dialog>
  );
}

function GroupRequests({ conversation, open, titled }: { conversation: Conversation; open: number; titled: boolean }) {
  const t = useWords();
  const s = useStrings(strings);
  const { invites } = useClient();
  const { fail } = useToasts();
  const nameOf = useNames();
  const snapshot = useConversation(conversation);
  const { list, again } = useList(conversation, invites.requests);
  useEffect(again, [again, open]);
  const answer = (request: JoinRequest, accept: boolean) => {
    invites.answer(conversation, request.user, accept).catch(fail).finally(again);
  };
  return (
    <section>
      {titled ? <h3 className="menu-title">{conversationName(snapshot, t, nameOf)}</h3> : null}
      {list === undefined ? <Spinner /> : null}
      {list?.length === 0 ? <p className="info-note hint">{s.noRequests}</p> : null}
      <ul className="people" role="list">
        {list?.map((request) => {
          const name = nameOf(request.user);
          return (
            <li key={request.user} className="person join-request">
              <Avatar id={request.user} name={name} />
              <span className="person-name">
                {name}
                {request.message ? <span className="hint join-words">{request.message}</span> : null}
                {request.inviter ? <span className="hint join-words">{s.invitedBy(nameOf(request.inviter))}</span> : null}
              </span>
              <span className="join-answers">
                <Button aria-label={s.decline(name)} onClick={() => answer(request, false)}>
                  {s.declineShort}
                </Button>
                <Button kind="primary" aria-label={s.accept(name)} onClick={() => answer(request, true)}>
                  {s.acceptShort}
                </Button>
              </span>
            </li>
          );
        })}
      </ul>
    </section>
  );
}

function Mine() {
  const s = useStrings(strings);
  const { invites } = useClient();
  const { fail } = useToasts();
  const mine = useMine();
  if (mine.length === 0) return null;
  return (
    <section>
      <h3 className="menu-title">{s.mine}</h3>
      <ul className="people" role="list">
        {mine.map((request) => (
          <li key={request.conversation} className="person">
            <span className="person-name">
              {request.conversation}
              <span className="hint join-words">{request.declined ? s.wasDeclined : s.waits}</span>
            </span>
            <Button onClick={() => void invites.cancel(request.conversation).catch(fail)}>{request.declined ? s.dismiss : s.withdraw}</Button>
          </li>
        ))}
      </ul>
    </section>
  );
}
