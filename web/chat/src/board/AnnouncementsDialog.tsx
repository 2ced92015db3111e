// All announcements of a group, and for those who may write them a form.
import type { Conversation, ConversationSnapshot } from "@skein/client";
import type { Announcement } from "@skein/client/board";
import { useId, useState, type FormEvent } from "react";
import { useSpeech, useWords } from "../i18n/context.tsx";
import { useStrings } from "../i18n/strings.ts";
import { useClient } from "../live/context.tsx";
import { useNames } from "../people/names.tsx";
import { Button, IconButton } from "../ui/Button.tsx";
import { Confirm, Dialog } from "../ui/Dialog.tsx";
import { useToasts } from "../ui/Toasts.tsx";
import { AnnouncementText } from "./AnnouncementText.tsx";
import { strings } from "./strings.ts";
import { useAnnouncements, useBoardLoaded } from "./useBoard.ts";

interface AnnouncementsDialogProps {
  readonly conversation: Conversation;
  readonly snapshot: ConversationSnapshot;
  readonly onClose: () => void;
}

/** The dialog. */
export function AnnouncementsDialog({ conversation, snapshot, onClose }: AnnouncementsDialogProps) {
  const s = useStrings(strings);
  const { board, groups } = useClient();
  const { fail } = useToasts();
  useBoardLoaded(conversation);
  const list = useAnnouncements(conversation);
  const [editing, setEditing] = useState<Announcement | "new">();
  const [removing, setRemoving] = useState<Announcement>();
  const writes = snapshot.myRole !== undefined && groups.may(conversation, "announce");
  if (editing !== undefined) {
    return <Editor conversation={conversation} announcement={editing === "new" ? undefined : editing} onClose={() => setEditing(undefined)} />;
  }
  return (
    <Dialog
      title={s.announcements}
      onClose={onClose}
      actions={
        writes ? (
          <Button kind="primary" onClick={() => setEditing("new")}>
            {s.create}
          </Button>
        ) : undefined
      }
    >
      {list.length === 0 ? <p className="info-note hint">{s.none}</p> : null}
      <ul className="announcements" role="list">
        {list.map((one) => (
          <Row key={one.id} announcement={one} writes={writes} onEdit={() => setEditing(one)} onRemove={() => setRemoving(one)} />
        ))}
      </ul>
      {removing ? (
        <Confirm
          title={s.removeAsk}
          text={s.removeText}
          action={s.remove}
          danger
          onClose={() => setRemoving(undefined)}
          onConfirm={() => {
            setRemoving(undefined);
            board.deleteAnnouncement(conversation, removing.id).catch(fail);
          }}
        />
      ) : null}
    </Dialog>
  );
}

function Row({ announcement, writes, onEdit, onRemove }: { announcement: Announcement; writes: boolean; onEdit: () => void; onRemove: () => void }) {
  const s = useStrings(strings);
  const { tag } = useSpeech();
  const nameOf = useNames();
  const { title, text, pinned, editor, updated } = announcement;
  const date = new Date(updated).toLocaleString(tag, { dateStyle: "medium", timeStyle: "short" });
  return (
    <li className="announcement">
      <div className="announcement-head">
        <h3>{title}</h3>
        {pinned ? <span className="role role-admin">{s.pinned}</span> : null}
        {writes ? (
          <>
            <IconButton icon="edit" size={19} label={`${s.edit}: ${title}`} onClick={onEdit} />
            <IconButton icon="trash" size={19} label={`${s.remove}: ${title}`} onClick={onRemove} />
          </>
        ) : null}
      </div>
      <AnnouncementText text={text} />
      <span className="hint">{editor ? s.by(nameOf(editor), date) : date}</span>
    </li>
  );
}

function Editor({ conversation, announcement, onClose }: { conversation: Conversation; announcement: Announcement | undefined; onClose: () => void }) {
  const t = useWords();
  const s = useStrings(strings);
  const { board } = useClient();
  const { fail } = useToasts();
  const [title, setTitle] = useState(announcement?.title ?? "");
  const [text, setText] = useState(announcement?.text ?? "");
  const [pinned, setPinned] = useState(announcement?.pinned ?? false);
  const [busy, setBusy] = useState(false);
  const id = useId();
  const save = (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    const next = { title: title.trim(), text, pinned };
    const saved = announcement ? board.updateAnnouncement(conversation, announcement.id, next) : board.announce(conversation, next);
    saved.then(onClose, (error: unknown) => {
      setBusy(false);
      fail(error);
    });
  };
  return (
    <Dialog title={announcement ? s.edit : s.create} onClose={onClose}>
      <form onSubmit={save}>
        <div className="field">
          <label className="field-label" htmlFor={`${id}t`}>
            {s.title}
          </label>
          <input id={`${id}t`} className="input" value={title} maxLength={42} autoFocus autoComplete="off" onChange={(event) => setTitle(event.target.value)} />
        </div>
        <div className="field">
          <label className="field-label" htmlFor={`${id}x`}>
            {s.text}
          </label>
          <textarea id={`${id}x`} className="input announcement-text-field" value={text} maxLength={1300} rows={6} onChange={(event) => setText(event.target.value)} />
        </div>
        <label className="check-row">
          <input type="checkbox" checked={pinned} onChange={(event) => setPinned(event.target.checked)} />
          {s.pin}
        </label>
        <div className="dialog-submit">
          <Button onClick={onClose}>{t.cancel}</Button>
          <Button kind="primary" submit busy={busy} disabled={title.trim() === ""}>
            {s.save}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
