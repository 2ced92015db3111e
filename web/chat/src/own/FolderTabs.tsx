// Which part of the list is shown: all of it, a folder, the archive.
import { useState } from "react";
import { useWords } from "../i18n/context.tsx";
import { useStrings } from "../i18n/strings.ts";
import { Button, IconButton } from "../ui/Button.tsx";
import { Icon } from "../ui/Icon.tsx";
import { roveFocus } from "../ui/roving.ts";
import { FoldersDialog } from "./FoldersDialog.tsx";
import { strings } from "./strings.ts";
import { useFolders, useListed } from "./useOwn.ts";
import "./own.css";

/** What the list shows: "" = all, "archive", or a folder's id. */
export type ListPart = string;

/** The part with a folder that is gone is all of it. */
export function usePart(): [ListPart, (part: ListPart) => void] {
  const [part, setPart] = useState<ListPart>("");
  const folders = useFolders();
  const there = part === "" || part === "archive" || folders.some(({ id }) => id === part);
  return [there ? part : "", setPart];
}

/** The tabs; nothing while there are no folders. */
export function FolderTabs({ part, onPart }: { part: ListPart; onPart: (part: ListPart) => void }) {
  const s = useStrings(strings);
  const folders = useFolders();
  const [managing, setManaging] = useState(false);
  if (part === "archive" || folders.length === 0) return null;
  const tabs = [{ id: "", name: s.all, emoji: "" }, ...folders];
  return (
    <div className="folder-tabs">
      <div
        role="tablist"
        aria-label={s.tabs}
        onKeyDown={(event) => {
          if (roveFocus(event.currentTarget, "[role=tab]", event.key, "horizontal")) {
            event.preventDefault();
            event.stopPropagation();
          }
        }}
      >
        {tabs.map(({ id, name, emoji }) => (
          <button key={id} type="button" role="tab" aria-selected={id === part} tabIndex={id === part ? 0 : -1} className="folder-tab" onClick={() => onPart(id)}>
            {emoji ? <span aria-hidden="true">{emoji}</span> : null}
            {name}
          </button>
        ))}
      </div>
      <IconButton icon="edit" size={17} label={s.folders} onClick={() => setManaging(true)} />
      {managing ? <FoldersDialog onClose={() => setManaging(false)} /> : null}
    </div>
  );
}

/** The way into the archive, when something is in it. */
export function ArchiveRow({ onOpen }: { onOpen: () => void }) {
  const s = useStrings(strings);
  const archived = useListed({ archived: true });
  if (archived.length === 0) return null;
  const unread = archived.reduce((sum, one) => sum + one.unread, 0);
  return (
    <li>
      <button type="button" className="archive-row" onClick={onOpen}>
        <Icon name="archive" size={20} />
        <span>{s.archived(archived.length)}</span>
        {unread > 0 ? <span className="badge badge-quiet">{unread > 999 ? "999+" : unread}</span> : null}
      </button>
    </li>
  );
}

/** The head of the archive, with the way back. */
export function ArchiveHead({ onBack }: { onBack: () => void }) {
  const t = useWords();
  const s = useStrings(strings);
  return (
    <div className="archive-head">
      <IconButton icon="back" label={t.back} onClick={onBack} />
      <h2>{s.archiveTitle}</h2>
    </div>
  );
}

/** What a part says that has nothing in it. */
export function EmptyPart({ part, onAll }: { part: ListPart; onAll: () => void }) {
  const s = useStrings(strings);
  const archive = part === "archive";
  return (
    <div className="empty">
      <strong>{archive ? s.archiveEmpty : s.folderEmpty}</strong>
      <span>{archive ? s.archiveEmptyText : s.folderEmptyText}</span>
      <Button onClick={onAll}>{s.all}</Button>
    </div>
  );
}
