// What an app keeps with a message: keys and values, which whoever sees the
// message and may react sets and takes away.
import type { Conversation, Message } from "@skein/client";
import { useEffect, useId, useRef, useState, type FormEvent } from "react";
import { useStrings } from "../i18n/strings.ts";
import { useClient } from "../live/context.tsx";
import { Button, IconButton } from "../ui/Button.tsx";
import { Dialog } from "../ui/Dialog.tsx";
import { useToasts } from "../ui/Toasts.tsx";
import { strings } from "./strings.ts";
import "./extensions.css";

interface ExtensionsDialogProps {
  readonly conversation: Conversation;
  readonly message: Message;
  readonly onClose: () => void;
}

/** A value as text; undefined when it is none. */
function textOf(value: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(value);
  } catch {
    return undefined;
  }
}

/** The dialog. */
export function ExtensionsDialog({ conversation, message: opened, onClose }: ExtensionsDialogProps) {
  const s = useStrings(strings);
  const client = useClient();
  const { threads } = client;
  const { fail } = useToasts();
  const id = useId();
  const field = useRef<HTMLInputElement>(null);
  const [key, setKey] = useState("");
  const [value, setValue] = useState("");
  const [busy, setBusy] = useState(false);
  const [message, setMessage] = useState(opened);
  useEffect(
    () =>
      client.on("messageUpdated", (event) => {
        if (event.message.key === opened.key) setMessage(event.message);
      }),
    [client, opened],
  );
  const extensions = [...threads.extensions(message)];
  const member = conversation.kind !== "group" || conversation.snapshot.myRole !== undefined;

  const set = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    try {
      await threads.setExtension(message, key.trim(), value);
      setKey("");
      setValue("");
    } catch (error) {
      fail(error);
    } finally {
      setBusy(false);
    }
  };
  const remove = (name: string) => {
    field.current?.focus(); // the button goes with its value: the focus stays in the dialog
    threads.setExtension(message, name, undefined).catch(fail);
  };
  return (
    <Dialog title={s.extensions} onClose={onClose}>
      <p className="hint">{s.text}</p>
      {extensions.length === 0 ? <p className="info-note hint">{s.none}</p> : null}
      <ul className="extensions" role="list">
        {extensions.map(([name, bytes]) => {
          const text = textOf(bytes);
          return (
            <li key={name}>
              <code>{name}</code>
              <span dir="auto" className={text === undefined ? "hint" : ""}>
                {text ?? s.bytes(bytes.length)}
              </span>
              {member ? (
                <IconButton icon="trash" size={18} label={s.remove(name)} onClick={() => remove(name)} />
              ) : null}
            </li>
          );
        })}
      </ul>
      {member && !message.recalled ? (
        <form className="extension-form" onSubmit={(event) => void set(event)}>
          <label htmlFor={`${id}key`}>{s.key}</label>
          <input ref={field} id={`${id}key`} className="input" value={key} maxLength={64} autoCapitalize="none" autoComplete="off" spellCheck={false} onChange={(event) => setKey(event.target.value)} />
          <label htmlFor={`${id}value`}>{s.value}</label>
          <input id={`${id}value`} className="input" value={value} maxLength={4096} autoComplete="off" onChange={(event) => setValue(event.target.value)} />
          <Button kind="primary" submit busy={busy} disabled={key.trim() === ""}>
            {s.set}
          </Button>
        </form>
      ) : null}
    </Dialog>
  );
}
