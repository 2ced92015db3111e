// The roles that a group defines for itself: who has one may do what it grants.
import type { Conversation } from "@skein/client";
import type { GroupRole } from "@skein/client/groups";
import { useId, useState, type FormEvent } from "react";
import { useStrings } from "../i18n/strings.ts";
import { useClient } from "../live/context.tsx";
import { Button, IconButton } from "../ui/Button.tsx";
import { Confirm, Dialog } from "../ui/Dialog.tsx";
import { useToasts } from "../ui/Toasts.tsx";
import { GrantList } from "./GrantList.tsx";
import { strings } from "./strings.ts";
import { useGroup } from "./useGroup.ts";

type Draft = Omit<GroupRole, "id"> & { readonly id?: string | undefined };

const fresh: Draft = { name: "", color: 0x5b5bd6, rank: 10, grants: [] };

/** 0xRRGGBB as a style has it. */
export function cssColor(color: number): string {
  return `#${color.toString(16).padStart(6, "0")}`;
}

/** The list of roles, and the form of one. */
export function RolesDialog({ conversation, onClose }: { conversation: Conversation; onClose: () => void }) {
  const s = useStrings(strings);
  const { groups } = useClient();
  const { fail } = useToasts();
  const { settings, rank } = useGroup(conversation);
  const [draft, setDraft] = useState<Draft>();
  const [deleting, setDeleting] = useState<GroupRole>();
  const [busy, setBusy] = useState(false);
  const roles = [...(settings?.roles ?? [])].sort((a, b) => b.rank - a.rank);
  const run = async (action: Promise<unknown>) => {
    setBusy(true);
    try {
      await action;
      setDraft(undefined);
      setDeleting(undefined);
    } catch (error) {
      fail(error);
    } finally {
      setBusy(false);
    }
  };

  if (draft) {
    return (
      <RoleForm
        conversation={conversation}
        draft={draft}
        busy={busy}
        onChange={setDraft}
        onSave={() => void run(groups.putRole(conversation, { ...draft, name: draft.name.trim() }))}
        onClose={() => setDraft(undefined)}
      />
    );
  }
  return (
    <Dialog title={s.roles} onClose={onClose} wide>
      <p className="hint">{s.rolesHint}</p>
      {roles.length === 0 ? <p className="info-note">{s.rolesNone}</p> : null}
      <ul className="people" role="list">
        {roles.map((role) => (
          <li key={role.id} className="person">
            <span className="role-dot" style={{ background: cssColor(role.color) }} />
            <span className="person-name">{role.name}</span>
            <span className="hint">{role.rank}</span>
            {role.rank < rank ? (
              <>
                <IconButton icon="edit" size={18} label={s.roleEdit(role.name)} onClick={() => setDraft(role)} />
                <IconButton icon="trash" size={18} label={`${s.roleDelete}: ${role.name}`} onClick={() => setDeleting(role)} />
              </>
            ) : null}
          </li>
        ))}
      </ul>
      <Button kind="soft" className="info-add" onClick={() => setDraft(fresh)}>
        {s.roleNew}
      </Button>
      {deleting ? (
        <Confirm
          title={s.roleDeleteAsk(deleting.name)}
          text={s.roleDeleteText}
          action={s.roleDelete}
          danger
          busy={busy}
          onClose={() => setDeleting(undefined)}
          onConfirm={() => void run(groups.deleteRole(conversation, deleting.id))}
        />
      ) : null}
    </Dialog>
  );
}

interface RoleFormProps {
  readonly conversation: Conversation;
  readonly draft: Draft;
  readonly busy: boolean;
  readonly onChange: (draft: Draft) => void;
  readonly onSave: () => void;
  readonly onClose: () => void;
}

function RoleForm({ conversation, draft, busy, onChange, onSave, onClose }: RoleFormProps) {
  const s = useStrings(strings);
  const { may, rank } = useGroup(conversation);
  const id = useId();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onSave();
  };
  return (
    <Dialog title={draft.id === undefined ? s.roleNew : s.roleEdit(draft.name)} onClose={onClose} wide>
      <form onSubmit={submit}>
        <div className="field">
          <label className="field-label" htmlFor={`${id}n`}>
            {s.roleName}
          </label>
          <input id={`${id}n`} className="input" value={draft.name} maxLength={20} required autoFocus autoComplete="off" onChange={(event) => onChange({ ...draft, name: event.target.value })} />
        </div>
        <div className="field">
          <label className="field-label" htmlFor={`${id}r`}>
            {s.roleRank}
          </label>
          <input id={`${id}r`} className="input" type="number" min={1} max={Math.min(99, rank - 1)} required value={draft.rank} onChange={(event) => onChange({ ...draft, rank: Number(event.target.value) })} />
        </div>
        <label className="check">
          <input type="color" value={cssColor(draft.color)} onChange={(event) => onChange({ ...draft, color: Number.parseInt(event.target.value.slice(1), 16) })} />
          <span>{s.roleColor}</span>
        </label>
        <GrantList title={s.roleMay} grants={draft.grants} mine={may} onChange={(grants) => onChange({ ...draft, grants })} />
        <div className="dialog-submit">
          <Button onClick={onClose}>{s.cancel}</Button>
          <Button kind="primary" submit busy={busy} disabled={draft.name.trim() === ""}>
            {s.save}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
