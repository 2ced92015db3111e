// The folders: made, renamed, put in order, removed, and which of them a conversation is in.
import type { Conversation } from "@skein/client";
import type { Folder } from "@skein/client/conversations";
import { useState } from "react";
import { useWords } from "../i18n/context.tsx";
import { useStrings } from "../i18n/strings.ts";
import { useClient } from "../live/context.tsx";
import { Button, IconButton } from "../ui/Button.tsx";
import { Dialog } from "../ui/Dialog.tsx";
import { useToasts } from "../ui/Toasts.tsx";
import { strings } from "./strings.ts";
import { useFolders, useOwn } from "./useOwn.ts";
import "./own.css";

/** The dialog; with a conversation it also says which folders that one is in. */
export function FoldersDialog({ conversation, onClose }: { conversation?: Conversation | undefined; onClose: () => void }) {
  const t = useWords();
  const s = useStrings(strings);
  const client = useClient();
  const { fail } = useToasts();
  const folders = useFolders();
  const [name, setName] = useState("");
  const [emoji, setEmoji] = useState("");
  const add = (): void => {
    if (!name.trim()) return;
    client.conversations
      .createFolder({ name: name.trim(), emoji: emoji.trim() })
      .then((made) => (conversation ? client.conversations.setFolders(conversation, [...client.conversations.of(conversation).folders, made.id]) : undefined))
      .catch(fail);
    setName("");
    setEmoji("");
  };
  return (
    <Dialog title={conversation ? s.inFolders : s.foldersTitle} onClose={onClose} actions={<Button kind="primary" onClick={onClose}>{t.done}</Button>}>
      {folders.length === 0 ? <p className="dialog-text">{s.noFolders}</p> : null}
      <ul className="folders" role="list">
        {folders.map((folder, i) => (
          <FolderRow key={folder.id} folder={folder} before={folders[i - 1]?.id} conversation={conversation} />
        ))}
      </ul>
      <form
        className="folder-new"
        onSubmit={(event) => {
          event.preventDefault();
          add();
        }}
      >
        <input className="input folder-emoji" value={emoji} maxLength={8} aria-label={s.folderEmoji} placeholder="💼" onChange={(event) => setEmoji(event.target.value)} />
        <input className="input" value={name} maxLength={32} aria-label={s.folderName} placeholder={s.folderName} onChange={(event) => setName(event.target.value)} />
        <Button submit disabled={name.trim() === ""}>
          {s.addFolder}
        </Button>
      </form>
    </Dialog>
  );
}

function FolderRow({ folder, before, conversation }: { folder: Folder; before: string | undefined; conversation: Conversation | undefined }) {
  const s = useStrings(strings);
  const client = useClient();
  const { fail } = useToasts();
  const [name, setName] = useState(folder.name);
  return (
    <li className="folder">
      {conversation ? <InFolder folder={folder} conversation={conversation} /> : <span className="folder-face">{folder.emoji}</span>}
      <input
        className="input"
        value={name}
        maxLength={32}
        aria-label={s.folderName}
        onChange={(event) => setName(event.target.value)}
        onBlur={() => {
          const next = name.trim();
          if (next === "") setName(folder.name);
          else if (next !== folder.name) client.conversations.editFolder(folder.id, { name: next }).catch(fail);
        }}
      />
      <IconButton icon="up" size={18} label={s.folderUp(folder.name)} disabled={before === undefined} onClick={() => void client.conversations.moveFolder(folder.id, before).catch(fail)} />
      <IconButton icon="trash" size={18} label={s.removeFolder(folder.name)} onClick={() => void client.conversations.removeFolder(folder.id).catch(fail)} />
    </li>
  );
}

function InFolder({ folder, conversation }: { folder: Folder; conversation: Conversation }) {
  const client = useClient();
  const { fail } = useToasts();
  const { folders } = useOwn(conversation);
  const inside = folders.includes(folder.id);
  return (
    <label className="folder-in">
      <input
        type="checkbox"
        checked={inside}
        aria-label={folder.name}
        onChange={() => {
          const next = inside ? folders.filter((id) => id !== folder.id) : [...folders, folder.id];
          client.conversations.setFolders(conversation, next).catch(fail);
        }}
      />
      <span aria-hidden="true">{folder.emoji}</span>
    </label>
  );
}
