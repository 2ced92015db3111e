// Who has read a message of a group, asked for when somebody wants to know.
import type { Conversation, Member, Message } from "@skein/client";
import { useEffect, useState } from "react";
import { useWords } from "../i18n/context.tsx";
import { Avatar } from "../ui/Avatar.tsx";
import { Spinner } from "../ui/Button.tsx";
import { Dialog } from "../ui/Dialog.tsx";
import { useToasts } from "../ui/Toasts.tsx";
import { useNames } from "../people/names.tsx";

interface ReadersDialogProps {
  readonly conversation: Conversation;
  readonly message: Message;
  readonly onClose: () => void;
}

/** Members who have read it, then those who have not. */
export function ReadersDialog({ conversation, message, onClose }: ReadersDialogProps) {
  const t = useWords();
  const { fail } = useToasts();
  const [members, setMembers] = useState<readonly Member[]>();

  useEffect(() => {
    const abort = new AbortController();
    const load = async () => {
      const all: Member[] = [];
      for await (const page of conversation.members({ signal: abort.signal })) {
        all.push(...page);
        if (all.length >= 1000) break;
      }
      setMembers(all.filter((member) => member.user !== message.sender));
    };
    load().catch((error: unknown) => {
      setMembers([]);
      fail(error);
    });
    return () => abort.abort();
  }, [conversation, message, fail]);

  // Markers that came since the list was asked for count too.
  const markers = new Set(conversation.readBy(message));
  const seq = message.seq ?? Number.POSITIVE_INFINITY;
  const readers = members?.filter((m) => m.read.seq >= seq || markers.has(m.user)) ?? [];
  const others = members?.filter((m) => !readers.includes(m)) ?? [];
  return (
    <Dialog title={t.readBy} onClose={onClose}>
      {members === undefined ? <Spinner /> : null}
      {members !== undefined && readers.length === 0 ? <p className="hint">{t.readByNobody}</p> : null}
      <People members={readers} />
      {others.length > 0 ? <h3 className="field-label people-title">{t.notReadYet}</h3> : null}
      <People members={others} />
    </Dialog>
  );
}

function People({ members }: { members: readonly Member[] }) {
  const nameOf = useNames();
  return (
    <ul className="people" role="list">
      {members.map((member) => (
        <li key={member.user} className="person">
          <Avatar id={member.user} name={nameOf(member.user)} size="s" />
          <span className="person-name">{nameOf(member.user)}</span>
        </li>
      ))}
    </ul>
  );
}
