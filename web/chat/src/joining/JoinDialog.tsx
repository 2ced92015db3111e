// Coming into a group: what an invitation is to and the way in, or a field for
// a link or a group's id.
import { SkeinError } from "@skein/client";
import { inviteCode, type InvitePreview, type Joining } from "@skein/client/invites";
import { useEffect, useId, useState, type FormEvent } from "react";
import { useWorkspace } from "../app/workspaceContext.ts";
import { useWords } from "../i18n/context.tsx";
import { useStrings } from "../i18n/strings.ts";
import { useClient } from "../live/context.tsx";
import { useNames } from "../people/names.tsx";
import { ScanButton } from "../scan/ScanButton.tsx";
import { Avatar } from "../ui/Avatar.tsx";
import { Button, Spinner } from "../ui/Button.tsx";
import { Dialog } from "../ui/Dialog.tsx";
import { describeError, useToasts } from "../ui/Toasts.tsx";
import { strings } from "./strings.ts";

/** The dialog; `code` is that of a link which was opened. */
export function JoinDialog({ code, onClose }: { code: string | undefined; onClose: () => void }) {
  const s = useStrings(strings);
  const [found, setFound] = useState(code);
  return (
    <Dialog title={s.joinTitle} onClose={onClose}>
      {found === undefined ? <Field onCode={setFound} onClose={onClose} /> : <Invitation key={found} code={found} onClose={onClose} />}
    </Dialog>
  );
}

/** What to do once one is in, or has asked. */
function useArrival(onClose: () => void): (joining: Joining) => void {
  const s = useStrings(strings);
  const { open } = useWorkspace();
  const { show } = useToasts();
  return ({ conversation }) => {
    onClose();
    if (conversation) open({ conversation: conversation.id });
    else show({ text: s.joinSent });
  };
}

function Field({ onCode, onClose }: { onCode: (code: string) => void; onClose: () => void }) {
  const s = useStrings(strings);
  const t = useWords();
  const { invites } = useClient();
  const arrive = useArrival(onClose);
  const [text, setText] = useState("");
  const [message, setMessage] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState("");
  const id = useId();
  const join = (event: FormEvent) => {
    event.preventDefault();
    const code = inviteCode(text);
    if (code !== undefined) {
      onCode(code);
      return;
    }
    setBusy(true);
    setError("");
    invites.join(text.trim(), message.trim()).then(arrive, (e: unknown) => {
      setBusy(false);
      setError(e instanceof SkeinError && e.code === "not_found" ? s.joinNone : describeError(e, t).text);
    });
  };
  const onFound = (found: string) => {
    const code = inviteCode(found);
    if (code === undefined) setText(found);
    else onCode(code);
  };
  return (
    <form onSubmit={join}>
      <ScanButton onFound={onFound} />
      <div className="field">
        <label className="field-label" htmlFor={id}>
          {s.joinHint}
        </label>
        <input id={id} className="input" value={text} maxLength={300} autoFocus autoComplete="off" spellCheck={false} onChange={(event) => setText(event.target.value)} />
        {error === "" ? null : (
          <p className="field-error" role="alert">
            {error}
          </p>
        )}
      </div>
      <MessageField message={message} onMessage={setMessage} />
      <div className="dialog-submit">
        <Button kind="primary" submit busy={busy} disabled={text.trim() === ""}>
          {s.joinAction}
        </Button>
      </div>
    </form>
  );
}

function MessageField({ message, onMessage }: { message: string; onMessage: (text: string) => void }) {
  const s = useStrings(strings);
  const id = useId();
  return (
    <div className="field">
      <label className="field-label" htmlFor={id}>
        {s.joinMessage}
      </label>
      <input id={id} className="input" value={message} maxLength={80} autoComplete="off" onChange={(event) => onMessage(event.target.value)} />
    </div>
  );
}

function Invitation({ code, onClose }: { code: string; onClose: () => void }) {
  const s = useStrings(strings);
  const t = useWords();
  const { invites } = useClient();
  const nameOf = useNames();
  const arrive = useArrival(onClose);
  const [preview, setPreview] = useState<InvitePreview>();
  const [error, setError] = useState("");
  const [message, setMessage] = useState("");
  const [busy, setBusy] = useState(false);
  const explain = (e: unknown): string => (e instanceof SkeinError && e.code === "not_found" ? s.joinBad : describeError(e, t).text);

  useEffect(() => {
    const abort = new AbortController();
    invites.preview(code, { signal: abort.signal }).then(setPreview, (e: unknown) => {
      if (!abort.signal.aborted) setError(e instanceof SkeinError && e.code === "not_found" ? "bad" : describeError(e, t).text);
    });
    return () => abort.abort();
  }, [invites, code, t]);

  if (error !== "") {
    return (
      <p className="info-note" role="alert">
        {error === "bad" ? s.joinBad : error}
      </p>
    );
  }
  if (!preview) {
    return (
      <p className="info-note hint" role="status">
        <Spinner /> {s.joinLooking}
      </p>
    );
  }
  const title = preview.title || s.untitled;
  return (
    <form
      className="join-card"
      onSubmit={(event) => {
        event.preventDefault();
        setBusy(true);
        invites.use(code, message.trim()).then(arrive, (e: unknown) => {
          setBusy(false);
          setError(explain(e));
        });
      }}
    >
      <Avatar id={title} name={title} size="xl" />
      <strong className="join-title">{title}</strong>
      <span className="hint">{s.joinMembers(preview.members)}</span>
      {preview.inviter ? <span className="hint">{s.joinBy(nameOf(preview.inviter))}</span> : null}
      {preview.approval ? (
        <>
          <p className="hint">{s.joinAsks}</p>
          <MessageField message={message} onMessage={setMessage} />
        </>
      ) : null}
      <Button kind="primary" submit busy={busy} autoFocus>
        {preview.approval ? s.askAction : s.joinAction}
      </Button>
    </form>
  );
}
