// Writing to somebody: their user id, or somebody one knows.
import { useId, useState } from "react";
import { useWorkspace } from "../app/workspaceContext.ts";
import { useWords } from "../i18n/context.tsx";
import { useClient } from "../live/context.tsx";
import { Button } from "../ui/Button.tsx";
import { Dialog } from "../ui/Dialog.tsx";
import { useToasts } from "../ui/Toasts.tsx";
import { Suggestions } from "./PeopleField.tsx";
import { usePeople } from "./usePeople.ts";

/** The dialog for a new direct conversation. */
export function NewDirectDialog({ onClose }: { onClose: () => void }) {
  const t = useWords();
  const client = useClient();
  const { open } = useWorkspace();
  const { fail } = useToasts();
  const people = usePeople();
  const [user, setUser] = useState("");
  const id = useId();

  const start = (peer: string) => {
    try {
      const conversation = peer === client.userId ? client.conversation.self() : client.conversation.with(peer);
      onClose();
      open({ conversation: conversation.id });
    } catch (error) {
      fail(error);
    }
  };

  return (
    <Dialog title={t.directTitle} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (user.trim() !== "") start(user.trim());
        }}
      >
        <div className="field">
          <label className="field-label" htmlFor={id}>
            {t.directWho}
          </label>
          <input
            id={id}
            className="input"
            value={user}
            placeholder={t.directWhoHint}
            maxLength={64}
            autoFocus
            autoCapitalize="none"
            autoComplete="off"
            spellCheck={false}
            onChange={(event) => setUser(event.target.value)}
          />
        </div>
        <Suggestions users={people} onPick={start} />
        <div className="dialog-submit">
          <Button kind="primary" submit disabled={user.trim() === ""}>
            {t.directStart}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
