// Making a group: a name and its first members.
import { useId, useState, type FormEvent } from "react";
import { useWorkspace } from "../app/workspaceContext.ts";
import { useWords } from "../i18n/context.tsx";
import { useClient } from "../live/context.tsx";
import type { GroupType } from "@skein/client/groups";
import { strings } from "../groups/strings.ts";
import { useStrings } from "../i18n/strings.ts";
import { Button } from "../ui/Button.tsx";
import { Dialog } from "../ui/Dialog.tsx";
import { useToasts } from "../ui/Toasts.tsx";
import { PeopleField } from "./PeopleField.tsx";
import { usePeople } from "./usePeople.ts";

/** The dialog for a new group. */
export function NewGroupDialog({ onClose }: { onClose: () => void }) {
  const t = useWords();
  const client = useClient();
  const { open } = useWorkspace();
  const { fail } = useToasts();
  const people = usePeople();
  const [title, setTitle] = useState("");
  const [members, setMembers] = useState<readonly string[]>([]);
  const [type, setType] = useState<GroupType>("private");
  const [busy, setBusy] = useState(false);
  const s = useStrings(strings);
  const id = useId();
  const types = { private: s.typePrivate, public: s.typePublic, broadcast: s.typeBroadcast, community: s.typeCommunity, livestream: s.typeLivestream } as const;

  const create = (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    client.groups
      .create({ title: title.trim(), members: members.filter((user) => user !== client.userId), ...(type === "private" ? {} : { type }) })
      .then(
        (conversation) => {
          onClose();
          open({ conversation: conversation.id });
        },
        (error: unknown) => {
          setBusy(false);
          fail(error);
        },
      );
  };

  return (
    <Dialog title={t.groupTitle} onClose={onClose}>
      <form onSubmit={create}>
        <div className="field">
          <label className="field-label" htmlFor={id}>
            {t.groupName}
          </label>
          <input id={id} className="input" value={title} maxLength={60} autoFocus autoComplete="off" onChange={(event) => setTitle(event.target.value)} />
        </div>
        <div className="field">
          <label className="field-label" htmlFor={`${id}t`}>
            {s.type}
          </label>
          <select id={`${id}t`} className="input" value={type} onChange={(event) => setType(event.target.value as GroupType)}>
            {(Object.keys(types) as (keyof typeof types)[]).map((key) => (
              <option key={key} value={key}>
                {types[key]}
              </option>
            ))}
          </select>
        </div>
        <PeopleField label={t.groupMembers} users={members} suggestions={people} onChange={setMembers} />
        <div className="dialog-submit">
          <Button kind="primary" submit busy={busy} disabled={title.trim() === ""}>
            {t.groupCreate}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
