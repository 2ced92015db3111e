// Whom a call in a group rings: everybody, some, or nobody.
import type { Conversation, ConversationSnapshot } from "@skein/client";
import { useMemo, useState } from "react";
import { useGroupMembers } from "../../composer/useGroupMembers.ts";
import { conversationName } from "../../format/describe.ts";
import { useWords } from "../../i18n/context.tsx";
import { useStrings } from "../../i18n/strings.ts";
import { useClient } from "../../live/context.tsx";
import { useNames } from "../../people/names.tsx";
import { Avatar } from "../../ui/Avatar.tsx";
import { Button, Spinner } from "../../ui/Button.tsx";
import { Dialog } from "../../ui/Dialog.tsx";
import { Icon } from "../../ui/Icon.tsx";
import { useCalls } from "../CallsContext.tsx";
import { strings } from "./strings.ts";

interface GroupCallDialogProps {
  readonly conversation: Conversation;
  readonly snapshot: ConversationSnapshot;
  readonly video: boolean;
  readonly onClose: () => void;
}

/** As many are in a call as servers allow unless they are told otherwise, who calls among them. */
const most = 250;
/** A list that is longer is searched. */
const searched = 8;

/** The dialog. */
export function GroupCallDialog({ conversation, snapshot, video, onClose }: GroupCallDialogProps) {
  const t = useWords();
  const s = useStrings(strings);
  const { userId } = useClient();
  const nameOf = useNames();
  const calls = useCalls();
  const members = useGroupMembers(conversation, snapshot, true);
  const others = useMemo(() => members.filter((user) => user !== userId), [members, userId]);
  const fits = snapshot.memberCount <= most;
  // undefined: everybody, also who comes while this is open.
  const [chosen, setChosen] = useState<ReadonlySet<string> | undefined>(fits ? undefined : new Set());
  const [search, setSearch] = useState("");
  const wanted = search.trim().toLocaleLowerCase();
  const found = others.filter((user) => wanted === "" || nameOf(user).toLocaleLowerCase().includes(wanted) || user.toLocaleLowerCase().includes(wanted));
  const count = chosen?.size ?? Math.max(0, snapshot.memberCount - 1);
  const empty = snapshot.memberCount === 1;

  const toggle = (user: string) => {
    const next = new Set(chosen ?? others);
    if (!next.delete(user)) next.add(user);
    setChosen(fits && next.size === others.length && others.length === snapshot.memberCount - 1 ? undefined : next);
  };
  const start = (quiet: boolean) => {
    onClose();
    void calls?.start(conversation, quiet ? { video, quiet: true } : { video, ...(chosen ? { users: [...chosen] } : {}) });
  };
  return (
    <Dialog
      title={s.whom(conversationName(snapshot, t, nameOf))}
      onClose={onClose}
      actions={
        <>
          <Button kind="soft" onClick={() => start(true)} title={s.quietHint}>
            {s.quiet}
          </Button>
          <Button kind="primary" disabled={count === 0 || count >= most} onClick={() => start(false)} data-autofocus="">
            <Icon name={video ? "video" : "call"} size={18} />
            {s.ring(count)}
          </Button>
        </>
      }
    >
      {empty ? (
        <p className="dialog-text">{s.nobody}</p>
      ) : (
        <>
          {others.length > searched ? <input className="input" type="search" value={search} placeholder={s.search} aria-label={s.search} onChange={(event) => setSearch(event.target.value)} /> : null}
          {fits ? (
            <label className="call-whom call-whom-all">
              <input type="checkbox" checked={chosen === undefined} onChange={() => setChosen(chosen === undefined ? new Set() : undefined)} />
              <span className="person-name">{s.everybody(snapshot.memberCount - 1)}</span>
            </label>
          ) : (
            <p className="dialog-text">{s.tooMany(most)}</p>
          )}
          {members.length === 0 ? <Spinner /> : null}
          <ul className="call-whom-list scroll" role="list" tabIndex={0} aria-label={s.start}>
            {found.slice(0, 300).map((user) => (
              <li key={user}>
                <label className="call-whom">
                  <input type="checkbox" checked={chosen?.has(user) ?? true} onChange={() => toggle(user)} />
                  <Avatar id={user} name={nameOf(user)} size="s" />
                  <span className="person-name">{nameOf(user)}</span>
                </label>
              </li>
            ))}
          </ul>
        </>
      )}
      <p className="field-hint">{s.quietHint}</p>
    </Dialog>
  );
}
