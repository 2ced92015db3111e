// Short notices at the edge of the window: what failed and what to do, what
// was copied. They are read out, stay longer when there is something to read
// or to press, and wait while the pointer is on them.
import { SkeinError } from "@skein/client";
import { createContext, useCallback, useContext, useLayoutEffect, useMemo, useRef, useState, type ReactNode } from "react";
import { errorText } from "../format/describe.ts";
import { useWords } from "../i18n/context.tsx";
import type { Words } from "../i18n/en.ts";
import { IconButton } from "./Button.tsx";

/** A notice. */
export interface Toast {
  readonly text: string;
  readonly hint?: string | undefined;
  readonly bad?: boolean;
  readonly action?: { readonly label: string; readonly run: () => void };
  /** It stays until it is pressed away. */
  readonly sticky?: boolean;
}

interface ToastActions {
  /** Shows a notice. */
  readonly show: (toast: Toast) => void;
  /** Shows what went wrong, with the hint that the error carries. An aborted call is not worth a notice. */
  readonly fail: (error: unknown) => void;
}

const ToastContext = createContext<ToastActions>({ show: () => undefined, fail: () => undefined });

/** The ways to show a notice. */
export function useToasts(): ToastActions {
  return useContext(ToastContext);
}

/** What is said of an error: in the person's language what happened, below it the SDK's own words and its hint. */
export function describeError(error: unknown, t: Words): { readonly text: string; readonly hint: string | undefined } {
  if (error instanceof SkeinError) {
    return { text: errorText(error.code, t), hint: [error.message, error.hint].filter(Boolean).join(" ") || undefined };
  }
  return { text: t.errGeneric, hint: error instanceof Error && error.message !== "" ? error.message : undefined };
}

interface Shown extends Toast {
  readonly id: number;
}

/** Holds the notices, at most four at a time. */
export function ToastProvider({ children }: { children: ReactNode }) {
  const t = useWords();
  const [toasts, setToasts] = useState<readonly Shown[]>([]);
  const next = useRef(1);
  const timers = useRef(new Map<number, ReturnType<typeof setTimeout>>());

  const remove = useCallback((id: number) => setToasts((now) => now.filter((toast) => toast.id !== id)), []);
  const arm = useCallback(
    (toast: Shown) => {
      if (toast.sticky) return;
      const ms = toast.bad || toast.action ? 8000 : 3000;
      timers.current.set(toast.id, setTimeout(() => remove(toast.id), ms));
    },
    [remove],
  );
  const show = useCallback(
    (toast: Toast) => {
      const shown = { ...toast, id: next.current++ };
      setToasts((now) => [...now.filter((other) => other.text !== toast.text), shown].slice(-4));
      arm(shown);
    },
    [arm],
  );
    const actions = useMemo<ToastActions>(
    () => ({
      show,
      fail: (error) => {
        if (error instanceof SkeinError && (error.code === "aborted" || error.code === "closed")) return;
        show({ ...describeError(error, t), bad: true });
      },
    }),
    [show, t],
  );

  // Shown anew each time, so that they lie above a dialog that opened since.
  const box = useRef<HTMLElement>(null);
  useLayoutEffect(() => {
    const element = box.current;
    if (!element || typeof element.showPopover !== "function") return;
    if (element.matches(":popover-open")) element.hidePopover();
    if (toasts.length > 0) element.showPopover();
  }, [toasts]);

  return (
    <ToastContext value={actions}>
      {children}
      <section ref={box} popover="manual" className="toasts" aria-label={t.notifications} role="status" aria-live="polite">
        {toasts.map((toast) => (
          <div
            key={toast.id}
            className={`toast ${toast.bad ? "toast-bad" : ""}`}
            onMouseEnter={() => clearTimeout(timers.current.get(toast.id))}
            onMouseLeave={() => arm(toast)}
          >
            <div className="toast-text">
              <p>{toast.text}</p>
              {toast.hint ? <p className="toast-hint">{toast.hint}</p> : null}
            </div>
            {toast.action ? (
              <button
                type="button"
                className="toast-action"
                onClick={() => {
                  remove(toast.id);
                  toast.action?.run();
                }}
              >
                {toast.action.label}
              </button>
            ) : null}
            <IconButton icon="close" size={18} label={t.dismiss} onClick={() => remove(toast.id)} />
          </div>
        ))}
      </section>
    </ToastContext>
  );
}

/** Copies a text and says so. */
export function useCopy(): (text: string) => void {
  const t = useWords();
  const { show } = useToasts();
  return useCallback(
    (text: string) => {
      // A page that came over plain HTTP from elsewhere has no clipboard at all.
      const write = async () => navigator.clipboard.writeText(text);
      write().then(
        () => show({ text: t.copied }),
        () => show({ text: t.errCopy, bad: true }),
      );
    },
    [show, t],
  );
}
