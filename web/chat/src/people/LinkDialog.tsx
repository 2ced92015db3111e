// Letting another device in: what it says of itself, where it asks from, and
// the two answers.
import type { AskingDevice } from "@skein/client/signin";
import { useEffect, useId, useState, type FormEvent } from "react";
import { go } from "../app/route.ts";
import { useStrings } from "../i18n/strings.ts";
import { useClient } from "../live/context.tsx";
import { ScanButton } from "../scan/ScanButton.tsx";
import { Button, Spinner } from "../ui/Button.tsx";
import { Dialog } from "../ui/Dialog.tsx";
import { useToasts } from "../ui/Toasts.tsx";
import { strings } from "./strings.ts";

interface LinkDialogProps {
  /** undefined asks for it. */
  readonly code: string | undefined;
  readonly onClose: () => void;
}

/** The dialog. */
export function LinkDialog({ code, onClose }: LinkDialogProps) {
  return code === undefined ? <AskCode onClose={onClose} /> : <Approve code={code} onClose={onClose} />;
}

/** The code in an address, or alone. */
function codeIn(text: string): string | undefined {
  return /([A-Za-z0-9_-]{22})\s*$/u.exec(text.trim())?.[1];
}

function AskCode({ onClose }: { onClose: () => void }) {
  const s = useStrings(strings);
  const id = useId();
  const [text, setText] = useState("");
  const code = codeIn(text);
  const approve = (which: string) => {
    onClose();
    go({ at: "link", code: which });
  };
  const onFound = (found: string) => {
    const which = codeIn(found);
    if (which) approve(which);
    else setText(found);
  };
  return (
    <Dialog title={s.link} onClose={onClose}>
      <p className="hint">{s.linkHow}</p>
      <ScanButton onFound={onFound} />
      <form
        onSubmit={(event: FormEvent) => {
          event.preventDefault();
          if (code) approve(code);
        }}
      >
        <div className="field">
          <label className="field-label" htmlFor={id}>
            {s.linkCode}
          </label>
          <input id={id} className="input" value={text} autoCapitalize="none" autoComplete="off" spellCheck={false} onChange={(event) => setText(event.target.value)} />
        </div>
        <div className="dialog-submit">
          <Button kind="primary" submit disabled={!code}>
            {s.linkNext}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function Approve({ code, onClose }: { code: string; onClose: () => void }) {
  const s = useStrings(strings);
  const { signIns } = useClient();
  const { fail, show } = useToasts();
  const [asks, setAsks] = useState<AskingDevice | "gone">();
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    const abort = new AbortController();
    signIns.look(code, { signal: abort.signal }).then(setAsks, () => {
      if (!abort.signal.aborted) setAsks("gone");
    });
    return () => abort.abort();
  }, [signIns, code]);
  const answer = (approve: boolean) => {
    setBusy(true);
    signIns
      .answer(code, approve)
      .then(() => {
        show({ text: approve ? s.linkDone : s.linkDenied });
        onClose();
      }, fail)
      .finally(() => setBusy(false));
  };
  if (!asks || asks === "gone") {
    return (
      <Dialog title={s.link} onClose={onClose}>
        {asks ? <p role="alert">{s.linkGone}</p> : <Spinner />}
      </Dialog>
    );
  }
  return (
    <Dialog
      title={s.linkAsk}
      onClose={onClose}
      actions={
        <>
          <Button kind="danger" busy={busy} onClick={() => answer(false)}>
            {s.linkDeny}
          </Button>
          <Button kind="primary" busy={busy} onClick={() => answer(true)}>
            {s.linkApprove}
          </Button>
        </>
      }
    >
      <dl className="facts profile-facts">
        <div>
          <dt>{s.linkDevice}</dt>
          <dd dir="auto">{asks.name || asks.platform || "?"}</dd>
        </div>
        <div>
          <dt>{s.linkFrom}</dt>
          <dd>{asks.address}</dd>
        </div>
      </dl>
      <p className="link-warning">{s.linkWarning}</p>
    </Dialog>
  );
}
