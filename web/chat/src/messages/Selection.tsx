// Several messages at once: which are chosen, and what can be done with them.
import type { Message } from "@skein/client";
import { createContext, useContext } from "react";
import { useStrings } from "../i18n/strings.ts";
import { strings as ownStrings } from "../own/strings.ts";
import { Button, IconButton } from "../ui/Button.tsx";
import { strings } from "./strings.ts";

/** The chosen messages by key; undefined while nothing is being chosen. */
export const SelectionContext = createContext<ReadonlyMap<string, Message> | undefined>(undefined);

/** See SelectionContext. */
export function useSelection(): ReadonlyMap<string, Message> | undefined {
  return useContext(SelectionContext);
}

/** Covers a row, so that a press anywhere on it chooses. */
export function SelectBox({ checked, onToggle }: { readonly checked: boolean; readonly onToggle: () => void }) {
  const s = useStrings(strings);
  return (
    <label className="select-box">
      <input type="checkbox" checked={checked} aria-label={s.selectMessage} onChange={onToggle} />
    </label>
  );
}

interface SelectionBarProps {
  readonly selected: ReadonlyMap<string, Message>;
  readonly onForward: () => void;
  readonly onDelete: () => void;
  readonly onClose: () => void;
}

/** Stands where the composer is. */
export function SelectionBar({ selected, onForward, onDelete, onClose }: SelectionBarProps) {
  const s = useStrings(strings);
  const o = useStrings(ownStrings);
  return (
    <div className="selection-bar" role="toolbar" aria-label={s.select}>
      <IconButton icon="close" label={s.endSelect} onClick={onClose} />
      <span aria-live="polite">{s.chosen(selected.size)}</span>
      <IconButton icon="trash" label={o.deleteForMe} disabled={selected.size === 0} onClick={onDelete} />
      <Button kind="primary" disabled={selected.size === 0 || selected.size > 100} onClick={onForward}>
        {s.forward}
      </Button>
    </div>
  );
}
