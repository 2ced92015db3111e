// Dialogs on the browser's own <dialog>: it keeps the focus inside, closes on
// Escape, and makes the rest of the page inert.
import { useEffect, useId, useRef, type ReactNode } from "react";
import { useWords } from "../i18n/context.tsx";
import { Button, IconButton } from "./Button.tsx";

interface DialogProps {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ReactNode;
  /** The buttons below. */
  readonly actions?: ReactNode;
  readonly wide?: boolean;
  /** A question: no cross, the answers are the way out. */
  readonly question?: boolean;
}

/** A dialog in the middle of the page; on a phone it comes from below. */
export function Dialog({ title, onClose, children, actions, wide = false, question = false }: DialogProps) {
  const t = useWords();
  const ref = useRef<HTMLDialogElement>(null);
  const titleId = useId();

  useEffect(() => {
    const dialog = ref.current;
    if (!dialog) return;
    const before = document.activeElement;
    if (!dialog.open) dialog.showModal();
    return () => {
      dialog.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);

  return (
    <dialog
      ref={ref}
      className={`dialog ${wide ? "dialog-wide" : ""}`}
      aria-labelledby={titleId}
      onCancel={(event) => {
        // Not one of what is inside: the choice of a file that was given up says the same.
        if (event.target !== ref.current) return;
        event.preventDefault();
        onClose();
      }}
      onMouseDown={(event) => {
        if (event.target === ref.current) onClose();
      }}
      onKeyDown={(event) => event.stopPropagation()}
    >
      <div className="dialog-frame">
        <header className="dialog-head">
          <h2 id={titleId}>{title}</h2>
          {question ? null : <IconButton icon="close" label={t.close} onClick={onClose} />}
        </header>
        <div className="dialog-body scroll">{children}</div>
        {actions ? <footer className="dialog-actions">{actions}</footer> : null}
      </div>
    </dialog>
  );
}

interface ConfirmProps {
  readonly title: string;
  readonly text: string;
  readonly action: string;
  readonly danger?: boolean;
  readonly busy?: boolean;
  readonly onConfirm: () => void;
  readonly onClose: () => void;
}

/** A question with two answers. */
export function Confirm({ title, text, action, danger = false, busy = false, onConfirm, onClose }: ConfirmProps) {
  const t = useWords();
  return (
    <Dialog
      title={title}
      onClose={onClose}
      question
      actions={
        <>
          <Button onClick={onClose}>{t.cancel}</Button>
          <Button kind={danger ? "danger" : "primary"} busy={busy} onClick={onConfirm} autoFocus>
            {action}
          </Button>
        </>
      }
    >
      <p className="dialog-text">{text}</p>
    </Dialog>
  );
}
