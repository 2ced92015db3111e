// A call that comes: a sheet over whatever is open, and, once it was made
// smaller or while one is in another call, a bar at the top.
import type { OwnCall } from "@skein/client/calls";
import { useEffect, useId, useRef, useState, type FormEvent } from "react";
import { useWords } from "../../i18n/context.tsx";
import { useStrings } from "../../i18n/strings.ts";
import { useNames } from "../../people/names.tsx";
import { Avatar } from "../../ui/Avatar.tsx";
import { Button, IconButton } from "../../ui/Button.tsx";
import { Icon } from "../../ui/Icon.tsx";
import { useToasts } from "../../ui/Toasts.tsx";
import type { AppCalls } from "../CallsContext.tsx";
import { Recorded } from "../recordings/RecordingMark.tsx";
import { strings } from "./strings.ts";
import { useRinging, useTone } from "./useRinging.ts";
import { useWhere } from "./who.ts";

interface IncomingProps {
  readonly call: OwnCall;
  readonly model: AppCalls;
  /** Whether it is heard in this tab. */
  readonly aloud: boolean;
  /** What is being answered. */
  readonly busy: string;
}

/** The sheet, or the bar that it was made into. */
export function Incoming(props: IncomingProps) {
  const { call } = props;
  const s = useStrings(strings);
  const nameOf = useNames();
  const { name, group } = useWhere(call.conversation);
  const [small, setSmall] = useState(false);
  const caller = nameOf(call.invitedBy || call.starter);
  useRinging(call.id, props.aloud && !small && props.busy === "", s.calls(caller), `${call.video ? s.incomingVideo : s.incomingVoice}${group ? ` · ${name}` : ""}`);
  return small ? (
    <div className="callring-bars">
      <RingBar {...props} engaged={false} />
    </div>
  ) : (
    <Sheet {...props} caller={caller} onSmaller={() => setSmall(true)} />
  );
}

function Sheet({ call, model, busy, caller, onSmaller }: IncomingProps & { readonly caller: string; readonly onSmaller: () => void }) {
  const t = useWords();
  const s = useStrings(strings);
  const { name, group } = useWhere(call.conversation);
  const [writing, setWriting] = useState(false);
  const ref = useRef<HTMLDialogElement>(null);
  const title = useId();
  const what = useId();
  useModal(ref);
  // What had the focus is gone, and keys would go to the page below.
  const unwrite = () => {
    setWriting(false);
    ref.current?.focus();
  };
  const answer = (camera: boolean) => void model.accept(call.id, { camera, microphone: true });
  const answering = busy === call.id;
  return (
    <dialog
      ref={ref}
      className="callring"
      // Nothing has the focus that a key which somebody is typing could press.
      tabIndex={-1}
      aria-labelledby={`${what} ${title}`}
      onCancel={(event) => {
        if (event.target !== ref.current) return;
        event.preventDefault();
        if (writing) unwrite();
        else onSmaller();
      }}
      onKeyDown={(event) => event.stopPropagation()}
    >
      <div className="callring-frame">
        <header className="callring-top">
          <span id={what} className="callring-what">
            <Icon name={call.video ? "video" : "call"} size={16} />
            {call.video ? s.incomingVideo : s.incomingVoice}
          </span>
          <IconButton icon="sliders" size={20} label={s.settings} onClick={() => model.showLobby(true)} />
          <IconButton icon="down" size={20} label={s.smaller} onClick={onSmaller} />
        </header>
        <div className="callring-who">
          <span className="callring-avatar">
            <Avatar id={call.invitedBy || call.starter} name={caller} size="xl" />
          </span>
          <h2 id={title}>{caller}</h2>
          {group ? <p className="callring-group">{s.inGroup(name)}</p> : null}
          {call.recording ? <Recorded mark={call.recording} /> : null}
        </div>
        {writing ? (
          <DeclineWith call={call} model={model} onBack={unwrite} />
        ) : (
          <>
            <div className="callring-answers">
              <RoundButton icon="hangUp" kind="bad" label={s.decline} disabled={busy !== ""} onClick={() => void model.decline(call.id)} />
              {call.video ? <RoundButton icon="call" kind="soft" label={s.answerVoice} disabled={busy !== ""} onClick={() => answer(false)} /> : null}
              <RoundButton icon={call.video ? "video" : "call"} kind="good" label={s.answer} busy={answering} disabled={busy !== ""} onClick={() => answer(call.video)} />
            </div>
            <button type="button" className="callring-write" disabled={busy !== ""} onClick={() => setWriting(true)}>
              <Icon name="edit" size={16} />
              {s.declineWith}
            </button>
          </>
        )}
        <span className="visually-hidden" role="status">
          {answering ? t.stateConnecting : ""}
        </span>
      </div>
    </dialog>
  );
}

/** Opens a dialog above everything, and gives the focus back to where it was. */
export function useModal(ref: { readonly current: HTMLDialogElement | null }): void {
  useEffect(() => {
    const dialog = ref.current;
    if (!dialog) return;
    const before = document.activeElement;
    if (!dialog.open) dialog.showModal();
    dialog.focus();
    return () => {
      dialog.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, [ref]);
}

interface RoundButtonProps {
  readonly icon: "call" | "video" | "hangUp" | "retry" | "edit" | "close";
  readonly kind: "good" | "bad" | "soft";
  readonly label: string;
  readonly busy?: boolean;
  readonly disabled?: boolean;
  readonly onClick: () => void;
}

/** A large round button with its word below. */
export function RoundButton({ icon, kind, label, busy = false, disabled = false, onClick }: RoundButtonProps) {
  return (
    <button type="button" className={`round round-${kind}`} aria-busy={busy || undefined} disabled={disabled} onClick={onClick}>
      <span className="round-sign">{busy ? <span className="spinner" aria-hidden="true" /> : <Icon name={icon} size={26} />}</span>
      <span className="round-label">{label}</span>
    </button>
  );
}

/** Some words to choose from, and a field for others. */
function DeclineWith({ call, model, onBack }: { call: OwnCall; model: AppCalls; onBack: () => void }) {
  const t = useWords();
  const s = useStrings(strings);
  const { fail } = useToasts();
  const { conversation } = useWhere(call.conversation);
  const [text, setText] = useState("");
  const send = (words: string) => {
    void model.decline(call.id);
    conversation?.send({ text: words }).catch(fail);
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (text.trim() !== "") send(text.trim());
  };
  return (
    <form className="callring-words" onSubmit={submit}>
      {[s.quick1, s.quick2, s.quick3].map((words) => (
        <button key={words} type="button" className="callring-quick" onClick={() => send(words)}>
          {words}
        </button>
      ))}
      <input className="input" value={text} maxLength={500} placeholder={s.message} aria-label={s.message} autoFocus onChange={(event) => setText(event.target.value)} />
      <span className="callring-words-actions">
        <Button onClick={onBack}>{t.back}</Button>
        <Button kind="primary" submit disabled={text.trim() === ""}>
          {s.send}
        </Button>
      </span>
    </form>
  );
}

/** The bar: for a ring that was made smaller, and for one that comes while one is in another call. */
export function RingBar({ call, model, busy, engaged }: IncomingProps & { readonly engaged: boolean }) {
  const s = useStrings(strings);
  const nameOf = useNames();
  const { name, group } = useWhere(call.conversation);
  const caller = nameOf(call.invitedBy || call.starter);
  const answer = (camera: boolean) => void model.accept(call.id, { camera, microphone: true });
  useTone(engaged ? "knock" : undefined);
  return (
    <section className="callring-bar" role="alertdialog" aria-label={call.video ? s.incomingVideo : s.incomingVoice}>
      <Avatar id={call.invitedBy || call.starter} name={caller} />
      <span className="callring-bar-text">
        <strong>{engaged ? s.alsoCalls(caller) : caller}</strong>
        <span>
          {call.video ? s.incomingVideo : s.incomingVoice}
          {group ? ` · ${name}` : ""}
        </span>
      </span>
      <span className="callring-bar-actions">
        <Button kind="danger" disabled={busy !== ""} onClick={() => void model.decline(call.id)}>
          {s.decline}
        </Button>
        <Button kind="primary" busy={busy === call.id} disabled={busy !== ""} onClick={() => answer(call.video)}>
          {engaged ? s.endAndAnswer : s.answer}
        </Button>
      </span>
    </section>
  );
}
