// A panel beside the tiles; on a phone it lies over them.
import { useEffect, useId, useRef, type ReactNode } from "react";
import { useWords } from "../../i18n/context.tsx";
import { IconButton } from "../../ui/Button.tsx";

/** The panel: Escape closes it, and the focus goes back to where it was. */
export function Panel({ title, onClose, children }: { title: string; onClose: () => void; children: ReactNode }) {
  const t = useWords();
  const id = useId();
  const ref = useRef<HTMLElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    const panel = ref.current;
    panel?.querySelector<HTMLElement>("button")?.focus();
    return () => {
      if ((panel?.contains(document.activeElement) || document.activeElement === document.body) && before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <aside
      ref={ref}
      className="stage-panel"
      aria-labelledby={id}
      onKeyDown={(event) => {
        if (event.key !== "Escape") return;
        event.preventDefault();
        event.nativeEvent.stopImmediatePropagation();
        onClose();
      }}
    >
      <header className="panel-head">
        <h2 id={id}>{title}</h2>
        <IconButton icon="close" label={t.close} onClick={onClose} />
      </header>
      <div className="panel-body scroll" tabIndex={0}>
        {children}
      </div>
    </aside>
  );
}
