// How a message is sent: silently, with high priority, or to some members only.
import type { Conversation, ConversationSnapshot } from "@skein/client";
import { useState } from "react";
import { useGroupMembers } from "../composer/useGroupMembers.ts";
import { PeopleField } from "../group/PeopleField.tsx";
import { useWords } from "../i18n/context.tsx";
import { useStrings } from "../i18n/strings.ts";
import { useClient } from "../live/context.tsx";
import { Button, IconButton } from "../ui/Button.tsx";
import { Dialog } from "../ui/Dialog.tsx";
import { MenuItem, placeOf, Popover, type MenuPlace } from "../ui/Menu.tsx";
import { strings } from "./strings.ts";

/** How. */
export interface HowToSend {
  readonly silent?: boolean;
  readonly priority?: number;
  readonly toUsers?: readonly string[];
}

interface SendMenuProps {
  readonly conversation: Conversation;
  readonly snapshot: ConversationSnapshot;
  readonly disabled: boolean;
  readonly onSend: (how: HowToSend) => void;
}

/** A button beside the one that sends. */
export function SendMenu({ conversation, snapshot, disabled, onSend }: SendMenuProps) {
  const s = useStrings(strings);
  const [place, setPlace] = useState<MenuPlace>();
  const [choosing, setChoosing] = useState(false);
  const how = (what: HowToSend) => () => {
    setPlace(undefined);
    onSend(what);
  };
  return (
    <>
      <IconButton icon="up" size={18} className="send-how" label={s.sendMenu} aria-haspopup="menu" disabled={disabled} onClick={(event) => setPlace(placeOf(event.currentTarget))} />
      {place ? (
        <Popover place={place} role="menu" align="end" label={s.sendMenu} onClose={() => setPlace(undefined)}>
          <MenuItem icon="moon" label={s.sendSilently} onSelect={how({ silent: true })} />
          <MenuItem icon="alert" label={s.sendHigh} onSelect={how({ priority: 1 })} />
          {snapshot.kind === "group" ? (
            <MenuItem
              icon="person"
              label={s.sendTo}
              onSelect={() => {
                setPlace(undefined);
                setChoosing(true);
              }}
            />
          ) : null}
        </Popover>
      ) : null}
      {choosing ? (
        <ToDialog
          conversation={conversation}
          snapshot={snapshot}
          onClose={() => setChoosing(false)}
          onSend={(toUsers) => {
            setChoosing(false);
            onSend({ toUsers });
          }}
        />
      ) : null}
    </>
  );
}

function ToDialog({ conversation, snapshot, onClose, onSend }: { conversation: Conversation; snapshot: ConversationSnapshot; onClose: () => void; onSend: (users: readonly string[]) => void }) {
  const t = useWords();
  const s = useStrings(strings);
  const client = useClient();
  const members = useGroupMembers(conversation, snapshot, true).filter((user) => user !== client.userId);
  const [users, setUsers] = useState<readonly string[]>([]);
  return (
    <Dialog
      title={s.sendTo}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{t.cancel}</Button>
          <Button kind="primary" disabled={users.length === 0 || users.length > 100} onClick={() => onSend(users)}>
            {s.sendIt}
          </Button>
        </>
      }
    >
      <p className="dialog-text">{s.sendToHint}</p>
      <PeopleField label={s.people} users={users} suggestions={members} onChange={setUsers} />
    </Dialog>
  );
}
