// Who has read a message, who has it on a device, and who has neither, in
// groups of any size: a page at a time, asked of the server.
import type { Conversation, Message } from "@skein/client";
import type { Receipt, ReceiptState } from "@skein/client/receipts";
import { useEffect, useRef, useState } from "react";
import { useWords } from "../i18n/context.tsx";
import { useStrings } from "../i18n/strings.ts";
import { useClient } from "../live/context.tsx";
import { useNames } from "../people/names.tsx";
import { strings } from "../timed/strings.ts";
import { Avatar } from "../ui/Avatar.tsx";
import { Button, Spinner } from "../ui/Button.tsx";
import { Dialog } from "../ui/Dialog.tsx";
import { useToasts } from "../ui/Toasts.tsx";

interface ReadersDialogProps {
  readonly conversation: Conversation;
  readonly message: Message;
  readonly onClose: () => void;
}

/** Those who have read it, then those who have not. */
export function ReadersDialog({ message, onClose }: ReadersDialogProps) {
  const t = useWords();
  const s = useStrings(strings);
  return (
    <Dialog title={t.readBy} onClose={onClose}>
      <Part message={message} state="read" none={t.readByNobody} />
      <Part message={message} state="delivered" title={s.delivered} />
      <Part message={message} state="none" title={t.notReadYet} />
    </Dialog>
  );
}

/** One state, more of it when it is asked for. */
function Part({ message, state, title, none }: { message: Message; state: ReceiptState; title?: string; none?: string }) {
  const s = useStrings(strings);
  const { receipts } = useClient();
  const { fail } = useToasts();
  const nameOf = useNames();
  const [people, setPeople] = useState<readonly Receipt[]>();
  const [more, setMore] = useState(false);
  const pages = useRef<AsyncIterator<readonly Receipt[]>>(undefined);

  const next = async (from: AsyncIterator<readonly Receipt[]>) => {
    try {
      const page = await from.next();
      if (pages.current !== from) return;
      const value = page.done ? [] : page.value;
      setPeople((now) => [...(now ?? []), ...value]);
      setMore(!page.done && value.length === pageSize);
    } catch (error) {
      if (pages.current !== from) return;
      setPeople((now) => now ?? []);
      setMore(false);
      fail(error);
    }
  };
  const load = useRef(next);
  load.current = next;

  useEffect(() => {
    const abort = new AbortController();
    const from = receipts.list(message, { state, limit: pageSize, signal: abort.signal });
    pages.current = from;
    setPeople(undefined);
    void load.current(from);
    return () => {
      pages.current = undefined;
      abort.abort();
    };
  }, [receipts, message, state]);

  if (people === undefined) return state === "read" ? <Spinner /> : null;
  if (people.length === 0) return none === undefined ? null : <p className="hint">{none}</p>;
  return (
    <>
      {title === undefined ? null : <h3 className="field-label people-title">{title}</h3>}
      <ul className="people" role="list" data-receipts={state}>
        {people.map(({ user }) => (
          <li key={user} className="person">
            <Avatar id={user} name={nameOf(user)} size="s" />
            <span className="person-name">{nameOf(user)}</span>
          </li>
        ))}
      </ul>
      {more ? (
        <Button
          onClick={() => {
            if (pages.current) void next(pages.current);
          }}
        >
          {s.more}
        </Button>
      ) : null}
    </>
  );
}

const pageSize = 50;
