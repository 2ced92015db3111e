// The name of a conversation; owner and admins of a group change it in place.
import type { Conversation, ConversationSnapshot } from "@skein/client";
import { useState } from "react";
import { useWords } from "../i18n/context.tsx";
import { useGroup } from "../groups/useGroup.ts";
import { IconButton } from "../ui/Button.tsx";
import { useToasts } from "../ui/Toasts.tsx";

interface RenameFormProps {
  readonly conversation: Conversation;
  readonly snapshot: ConversationSnapshot;
  readonly name: string;
}

/** The name, with a pencil where it may be changed. */
export function RenameForm({ conversation, snapshot, name }: RenameFormProps) {
  const t = useWords();
  const { fail } = useToasts();
  const manages = useGroup(conversation).may("manage");
  const [title, setTitle] = useState<string>();
  const may = snapshot.kind === "group" && snapshot.myRole !== undefined && manages;

  if (title === undefined) {
    return (
      <div className="info-name">
        <strong>{name}</strong>
        {may ? <IconButton icon="edit" size={18} label={t.rename} onClick={() => setTitle(snapshot.title)} /> : null}
      </div>
    );
  }
  return (
    <form
      className="info-name"
      onSubmit={(event) => {
        event.preventDefault();
        const next = title.trim();
        setTitle(undefined);
        if (next !== "" && next !== snapshot.title) conversation.setTitle(next).catch(fail);
      }}
    >
      <input
        className="input"
        value={title}
        maxLength={60}
        aria-label={t.groupName}
        autoFocus
        onChange={(event) => setTitle(event.target.value)}
        onKeyDown={(event) => {
          if (event.key !== "Escape" || event.nativeEvent.isComposing) return;
          event.stopPropagation();
          setTitle(undefined);
        }}
      />
      <button type="submit" className="button button-primary">
        {t.save}
      </button>
    </form>
  );
}
