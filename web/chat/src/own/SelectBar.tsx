// What can be done to the conversations that are selected in the list.
import type { Conversation } from "@skein/client";
import { useWords } from "../i18n/context.tsx";
import { useStrings } from "../i18n/strings.ts";
import { IconButton } from "../ui/Button.tsx";
import { strings } from "./strings.ts";
import { useOwnActions } from "./useOwn.ts";
import "./own.css";

/** The bar over the list. */
export function SelectBar({ selected, archive, onClose }: { selected: readonly Conversation[]; archive: boolean; onClose: () => void }) {
  const t = useWords();
  const s = useStrings(strings);
  const actions = useOwnActions();
  const none = selected.length === 0;
  const then = (act: () => void) => () => {
    onClose();
    act();
  };
  return (
    <div className="select-bar" role="toolbar" aria-label={s.select}>
      <IconButton icon="close" label={t.cancel} onClick={onClose} />
      <span aria-live="polite">{s.selected(selected.length)}</span>
      <IconButton icon="check" label={s.markRead} disabled={none} onClick={then(() => actions.read(selected))} />
      <IconButton icon="pin" label={s.pin} disabled={none} onClick={then(() => actions.pin(selected, true))} />
      <IconButton icon="muted" label={s.muted} disabled={none} onClick={then(() => actions.mute(selected, undefined))} />
      <IconButton icon="archive" label={archive ? s.unarchive : s.archive} disabled={none} onClick={then(() => actions.archive(selected, !archive))} />
      <IconButton icon="eye" label={s.hide} disabled={none} onClick={then(() => actions.hide(selected))} />
    </div>
  );
}
