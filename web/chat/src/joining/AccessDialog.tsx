// Who is kept out of a group, and who may join it by themselves.
import type { Conversation } from "@skein/client";
import type { AllowList } from "@skein/client/invites";
import { useCallback, useEffect, useId, useState } from "react";
import { PeopleField } from "../group/PeopleField.tsx";
import { usePeople } from "../group/usePeople.ts";
import { useStrings } from "../i18n/strings.ts";
import { useClient } from "../live/context.tsx";
import { useNames } from "../people/names.tsx";
import { Avatar } from "../ui/Avatar.tsx";
import { Button, IconButton, Spinner } from "../ui/Button.tsx";
import { Dialog } from "../ui/Dialog.tsx";
import { useToasts } from "../ui/Toasts.tsx";
import { strings } from "./strings.ts";
import { useList } from "./useJoining.ts";

/** The dialog. */
export function AccessDialog({ conversation, onClose }: { conversation: Conversation; onClose: () => void }) {
  const s = useStrings(strings);
  const { groups } = useClient();
  return (
    <Dialog title={s.banned} onClose={onClose}>
      {groups.may(conversation, "removeMembers") ? <Bans conversation={conversation} /> : null}
      {groups.may(conversation, "manage") ? <Allowed conversation={conversation} /> : null}
    </Dialog>
  );
}

function Bans({ conversation }: { conversation: Conversation }) {
  const s = useStrings(strings);
  const { invites, userId } = useClient();
  const { fail } = useToasts();
  const nameOf = useNames();
  const people = usePeople([userId]);
  const { list, again } = useList(conversation, invites.bans);
  const [users, setUsers] = useState<readonly string[]>([]);
  const [reason, setReason] = useState("");
  const [busy, setBusy] = useState(false);
  const id = useId();
  const ban = async () => {
    for (const user of users) await invites.ban(conversation, user, reason.trim());
    setUsers([]);
    setReason("");
  };
  return (
    <section>
      <h3 className="menu-title">{s.bannedList}</h3>
      <p className="hint">{s.banHint}</p>
      <PeopleField label={s.people} users={users} suggestions={people} onChange={setUsers} />
      <div className="field">
        <label className="field-label" htmlFor={id}>
          {s.banReason}
        </label>
        <input id={id} className="input" value={reason} maxLength={80} autoComplete="off" onChange={(event) => setReason(event.target.value)} />
      </div>
      <div className="dialog-submit">
        <Button
          kind="danger"
          busy={busy}
          disabled={users.length === 0}
          onClick={() => {
            setBusy(true);
            ban()
              .catch(fail)
              .finally(() => {
                setBusy(false);
                again();
              });
          }}
        >
          {s.ban}
        </Button>
      </div>
      {list === undefined ? <Spinner /> : null}
      {list?.length === 0 ? <p className="info-note hint">{s.noBans}</p> : null}
      <ul className="people" role="list" aria-label={s.bannedList}>
        {list?.map((one) => (
          <li key={one.user} className="person">
            <Avatar id={one.user} name={nameOf(one.user)} />
            <span className="person-name">
              {nameOf(one.user)}
              <span className="hint join-words">{[one.reason, one.by ? s.bannedBy(nameOf(one.by)) : ""].filter(Boolean).join(" · ")}</span>
            </span>
            <Button aria-label={`${s.unban}: ${nameOf(one.user)}`} onClick={() => void invites.unban(conversation, one.user).catch(fail).finally(again)}>
              {s.unban}
            </Button>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Allowed({ conversation }: { conversation: Conversation }) {
  const s = useStrings(strings);
  const { invites, userId } = useClient();
  const { fail } = useToasts();
  const nameOf = useNames();
  const people = usePeople([userId]);
  const [allow, setAllow] = useState<AllowList>();
  const [users, setUsers] = useState<readonly string[]>([]);
  const load = useCallback(() => {
    invites.allowList(conversation).then(setAllow, fail);
  }, [invites, conversation, fail]);
  useEffect(load, [load]);
  const change = (action: Promise<void>) => void action.catch(fail).finally(load);
  if (!allow) return <Spinner />;
  return (
    <section>
      <h3 className="menu-title">{s.allowList}</h3>
      <label className="check-row">
        <input type="checkbox" checked={allow.enforced} onChange={(event) => change(invites.allow(conversation, [], event.target.checked))} />
        {s.allowOnly}
      </label>
      <PeopleField label={s.people} users={users} suggestions={people} onChange={setUsers} />
      <div className="dialog-submit">
        <Button
          disabled={users.length === 0}
          onClick={() => {
            change(invites.allow(conversation, users, allow.enforced));
            setUsers([]);
          }}
        >
          {s.allowAdd}
        </Button>
      </div>
      {allow.users.length === 0 ? <p className="info-note hint">{s.allowNone}</p> : null}
      <ul className="people" role="list" aria-label={s.allowList}>
        {allow.users.slice(0, 500).map((user) => (
          <li key={user} className="person">
            <Avatar id={user} name={nameOf(user)} />
            <span className="person-name">{nameOf(user)}</span>
            <IconButton icon="trash" size={19} label={s.allowRemove(nameOf(user))} onClick={() => change(invites.disallow(conversation, [user]))} />
          </li>
        ))}
      </ul>
    </section>
  );
}
