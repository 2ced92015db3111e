// What is asked for about one member: a nickname, which roles they have.
import type { Conversation } from "@skein/client";
import type { GroupMember } from "@skein/client/groups";
import { useId, useState, type FormEvent } from "react";
import { useStrings } from "../i18n/strings.ts";
import { useClient } from "../live/context.tsx";
import { useNames } from "../people/names.tsx";
import { Button } from "../ui/Button.tsx";
import { Dialog } from "../ui/Dialog.tsx";
import { useToasts } from "../ui/Toasts.tsx";
import { strings } from "./strings.ts";
import { useGroup } from "./useGroup.ts";

interface MemberDialogProps {
  readonly conversation: Conversation;
  readonly member: Pick<GroupMember, "user" | "nickname" | "roles">;
  /** Called with true when something was changed. */
  readonly onClose: (changed: boolean) => void;
}

/** A name for this group alone. */
export function NicknameDialog({ conversation, member, onClose }: MemberDialogProps) {
  const s = useStrings(strings);
  const { groups, userId } = useClient();
  const { fail } = useToasts();
  const nameOf = useNames();
  const [name, setName] = useState(member.nickname);
  const [busy, setBusy] = useState(false);
  const id = useId();
  const save = (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    groups.setNickname(conversation, member.user, name.trim()).then(
      () => onClose(true),
      (error: unknown) => {
        setBusy(false);
        fail(error);
      },
    );
  };
  return (
    <Dialog title={member.user === userId ? s.myNickname : s.nicknameOf(nameOf(member.user))} onClose={() => onClose(false)}>
      <form onSubmit={save}>
        <div className="field">
          <label className="field-label" htmlFor={id}>
            {s.nickname}
          </label>
          <input id={id} className="input" value={name} maxLength={20} autoFocus autoComplete="off" onChange={(event) => setName(event.target.value)} />
        </div>
        <div className="dialog-submit">
          <Button kind="primary" submit busy={busy}>
            {s.save}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

/** Which of the group's roles a member has. */
export function MemberRolesDialog({ conversation, member, onClose }: MemberDialogProps) {
  const s = useStrings(strings);
  const { groups } = useClient();
  const { fail } = useToasts();
  const nameOf = useNames();
  const { settings, rank } = useGroup(conversation);
  const all = settings?.roles ?? [];
  const [roles, setRoles] = useState(member.roles.filter((id) => all.some((role) => role.id === id)));
  const [busy, setBusy] = useState(false);
  const save = () => {
    setBusy(true);
    groups.setMemberRoles(conversation, member.user, roles).then(
      () => onClose(true),
      (error: unknown) => {
        setBusy(false);
        fail(error);
      },
    );
  };
  return (
    <Dialog
      title={s.rolesOf(nameOf(member.user))}
      onClose={() => onClose(false)}
      actions={
        <Button kind="primary" busy={busy} onClick={save}>
          {s.save}
        </Button>
      }
    >
      {all.length === 0 ? <p className="info-note">{s.rolesNone}</p> : null}
      {all.map((role) => (
        <label key={role.id} className="check">
          <input
            type="checkbox"
            checked={roles.includes(role.id)}
            disabled={role.rank >= rank}
            onChange={(event) => setRoles(event.target.checked ? [...roles, role.id] : roles.filter((id) => id !== role.id))}
          />
          <span>{role.name}</span>
        </label>
      ))}
    </Dialog>
  );
}
