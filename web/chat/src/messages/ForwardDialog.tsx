// Sends messages on to another conversation: search, choose, say something, send.
import type { Conversation, Message } from "@skein/client";
import { useState } from "react";
import { colourId, conversationName } from "../format/describe.ts";
import { useWords } from "../i18n/context.tsx";
import { useStrings } from "../i18n/strings.ts";
import { useClient, useConversations } from "../live/context.tsx";
import { useNames } from "../people/names.tsx";
import { Avatar } from "../ui/Avatar.tsx";
import { Button } from "../ui/Button.tsx";
import { Dialog } from "../ui/Dialog.tsx";
import { useToasts } from "../ui/Toasts.tsx";
import { strings } from "./strings.ts";

interface ForwardDialogProps {
  readonly conversation: Conversation;
  readonly messages: readonly Message[];
  readonly onClose: () => void;
  readonly onDone: () => void;
}

/** How many the server takes one by one. */
const mostApart = 20;

/** The dialog. */
export function ForwardDialog({ conversation, messages, onClose, onDone }: ForwardDialogProps) {
  const t = useWords();
  const s = useStrings(strings);
  const client = useClient();
  const nameOf = useNames();
  const { fail, show } = useToasts();
  const all = useConversations();
  const several = messages.length > 1;
  const [search, setSearch] = useState("");
  const [to, setTo] = useState<Conversation>();
  const [merged, setMerged] = useState(several);
  const [title, setTitle] = useState(() => s.chatHistory(conversationName(conversation.snapshot, t, nameOf)));
  const [comment, setComment] = useState("");
  const [busy, setBusy] = useState(false);
  const self = client.conversation.self();
  // In a livestream nothing is kept, so nothing is forwarded to it.
  const places = [...new Set([...all, self])].filter((one) => one.kind !== "group" || (one.myRole !== undefined && client.groups.settings(one)?.type !== "livestream"));
  const wanted = search.trim().toLocaleLowerCase();
  const found = places.filter((one) => conversationName(one.snapshot, t, nameOf).toLocaleLowerCase().includes(wanted));
  const tooMany = !merged && messages.length > mostApart;

  const send = () => {
    if (!to) return;
    setBusy(true);
    client.messages
      .forward(messages, to, { merged, title: merged ? title.trim() : "", comment: comment.trim() })
      .then(() => {
        show({ text: s.forwardedTo(conversationName(to.snapshot, t, nameOf)) });
        onDone();
      })
      .catch((error: unknown) => {
        setBusy(false);
        fail(error);
      });
  };

  return (
    <Dialog
      title={s.forwardTo}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{t.cancel}</Button>
          <Button kind="primary" busy={busy} disabled={!to || tooMany} onClick={send}>
            {s.forward}
          </Button>
        </>
      }
    >
      <input className="input forward-search" type="search" value={search} placeholder={s.searchChats} aria-label={s.searchChats} data-autofocus="" onChange={(event) => setSearch(event.target.value)} />
      {found.length === 0 ? <p className="dialog-text">{s.noChats}</p> : null}
      <ul className="forward-list scroll" role="radiogroup" aria-label={s.forwardTo}>
        {found.map((one) => {
          const name = conversationName(one.snapshot, t, nameOf);
          return (
            <li key={one.id} role="presentation">
              <button type="button" role="radio" aria-checked={to === one} className="forward-place" onClick={() => setTo(one)}>
                <Avatar id={colourId(one.snapshot)} name={name} size="s" notes={one.kind === "self"} />
                <span>{name}</span>
              </button>
            </li>
          );
        })}
      </ul>
      {several ? (
        <label className="check-line">
          <input type="checkbox" checked={merged} onChange={(event) => setMerged(event.target.checked)} />
          <span>{s.mergeThem}</span>
        </label>
      ) : null}
      {several && merged ? <input className="input" value={title} maxLength={40} aria-label={s.mergedTitle} onChange={(event) => setTitle(event.target.value)} /> : null}
      {tooMany ? (
        <p className="field-error" role="alert">
          {s.tooManyApart}
        </p>
      ) : null}
      <input className="input" value={comment} placeholder={s.comment} aria-label={s.comment} onChange={(event) => setComment(event.target.value)} />
    </Dialog>
  );
}
