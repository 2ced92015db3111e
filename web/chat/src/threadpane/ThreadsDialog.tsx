// The threads of a conversation, the one with the newest reply first.
import type { Conversation, Message } from "@skein/client";
import { useCallback, useEffect, useState } from "react";
import { previewText } from "../format/describe.ts";
import { useWords } from "../i18n/context.tsx";
import { useStrings } from "../i18n/strings.ts";
import { useClient } from "../live/context.tsx";
import { useNames } from "../people/names.tsx";
import { Avatar } from "../ui/Avatar.tsx";
import { Button, Spinner } from "../ui/Button.tsx";
import { Dialog } from "../ui/Dialog.tsx";
import { describeError } from "../ui/Toasts.tsx";
import { strings } from "./strings.ts";
import { Faces, LastReply, openThread } from "./ThreadLine.tsx";
import { merged, useReplies, useThreadMarks } from "./useReplies.ts";

/** The dialog. */
export function ThreadsDialog({ conversation, onClose }: { conversation: Conversation; onClose: () => void }) {
  const t = useWords();
  const s = useStrings(strings);
  const client = useClient();
  const [roots, setRoots] = useState<readonly Message[]>([]);
  const [next, setNext] = useState<number>();
  const [state, setState] = useState<"loading" | "there" | { readonly error: unknown }>("loading");
  useThreadMarks(conversation.id);

  const last = useCallback((message: Message) => client.threads.replies(message)?.lastSeq ?? 0, [client]);
  const load = useCallback(
    (before?: number) => {
      setState("loading");
      client.threads.list(conversation, { before }).then(
        (page) => {
          setRoots((now) => merged(now, page.roots, (a, b) => last(b) - last(a)));
          setNext(page.next);
          setState("there");
        },
        (error: unknown) => setState({ error }),
      );
    },
    [client, conversation, last],
  );
  useEffect(() => load(), [load]);
  useEffect(
    () =>
      client.on("messageUpdated", ({ message }) => {
        if (message.conversation !== conversation.id || last(message) === 0) return;
        setRoots((now) => merged(now, [message], (a, b) => last(b) - last(a)));
      }),
    [client, conversation, last],
  );

  return (
    <Dialog title={s.threads} onClose={onClose}>
      <ul className="people" role="list">
        {roots.map((root) => (
          <li key={root.key}>
            <ThreadItem
              root={root}
              onChoose={() => {
                onClose();
                openThread(root);
              }}
            />
          </li>
        ))}
      </ul>
      {state === "loading" ? <Spinner /> : null}
      {state === "there" && roots.length === 0 ? <p className="info-note hint">{s.noThreads}</p> : null}
      {typeof state === "object" ? (
        <p className="info-note" role="alert">
          {describeError(state.error, t).text}
          <Button onClick={() => load(next)}>{t.retry}</Button>
        </p>
      ) : null}
      {state === "there" && next !== undefined ? <Button onClick={() => load(next)}>{s.more}</Button> : null}
    </Dialog>
  );
}

function ThreadItem({ root, onChoose }: { root: Message; onChoose: () => void }) {
  const t = useWords();
  const s = useStrings(strings);
  const replies = useReplies(root);
  const name = useNames()(root.sender);
  return (
    <button type="button" className="hit thread-item" onClick={onChoose}>
      <Avatar id={root.sender} name={name} />
      <span className="chat-main">
        <span className="chat-line">
          <span className="chat-name">{root.mine ? t.you : name}</span>
          {replies && replies.unread > 0 ? (
            <span className="badge">
              <span aria-hidden="true">{replies.unread > 99 ? "99+" : replies.unread}</span>
              <span className="visually-hidden">{s.unread(replies.unread)}</span>
            </span>
          ) : null}
        </span>
        <span className="chat-preview" dir="auto">
          {previewText(root, t).slice(0, 200)}
        </span>
        {replies ? (
          <span className="thread-item-facts">
            <Faces users={replies.users} />
            {s.replies(replies.count)} <LastReply time={replies.lastTime} />
          </span>
        ) : null}
      </span>
    </button>
  );
}
