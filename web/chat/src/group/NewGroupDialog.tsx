// Making a group: a name and its first members.
import { useId, useState, type FormEvent } from "react";
import { useWorkspace } from "../app/workspaceContext.ts";
import { useWords } from "../i18n/context.tsx";
import { useClient } from "../live/context.tsx";
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
  const [busy, setBusy] = useState(false);
  const id = useId();

  const create = (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    client.conversation
      .createGroup({ title: title.trim(), members: members.filter((user) => user !== client.userId) })
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
