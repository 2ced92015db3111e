// All that is pinned in a conversation: to go to, and to take down.
import type { Conversation, ConversationSnapshot } from "@skein/client";
import { useRef, useState } from "react";
import { previewText } from "../format/describe.ts";
import { hue } from "../format/names.ts";
import { exact } from "../format/time.ts";
import { useSpeech } from "../i18n/context.tsx";
import { useStrings } from "../i18n/strings.ts";
import { useClient } from "../live/context.tsx";
import { useNames } from "../people/names.tsx";
import { Button } from "../ui/Button.tsx";
import { Dialog } from "../ui/Dialog.tsx";
import { useToasts } from "../ui/Toasts.tsx";
import { strings } from "./strings.ts";
import { mayPin, type Pin } from "./usePins.ts";

interface PinsDialogProps {
  readonly conversation: Conversation;
  readonly snapshot: ConversationSnapshot;
  readonly pins: readonly Pin[];
  readonly onShow: (seq: number) => void;
  readonly onClose: () => void;
}

/** The list. */
export function PinsDialog({ conversation, snapshot, pins, onShow, onClose }: PinsDialogProps) {
  const s = useStrings(strings);
  const may = mayPin(useClient(), conversation, snapshot);
  const whole = useRef<HTMLDivElement>(null);
  return (
    <Dialog title={s.all} onClose={onClose}>
      <div ref={whole} tabIndex={-1} className="pins-whole">
        {pins.length === 0 ? <p className="hint">{s.none}</p> : null}
        <ul className="pins" role="list">
          {pins.map((pin) => (
            // The button that was pressed goes with its pin: the focus stays in the dialog.
            <Item key={pin.seq} pin={pin} may={may} onShow={onShow} onGone={() => whole.current?.focus()} />
          ))}
        </ul>
      </div>
    </Dialog>
  );
}

function Item({ pin: { seq, message, pinned }, may, onShow, onGone }: { pin: Pin; may: boolean; onShow: (seq: number) => void; onGone: () => void }) {
  const s = useStrings(strings);
  const { t, tag } = useSpeech();
  const { threads, userId } = useClient();
  const { fail } = useToasts();
  const nameOf = useNames();
  const [busy, setBusy] = useState(false);
  const unpin = async () => {
    if (!message) return;
    setBusy(true);
    try {
      onGone();
      await threads.unpin(message);
    } catch (error) {
      setBusy(false);
      fail(error);
    }
  };
  return (
    <li className="pins-item">
      <button type="button" className="pins-message" title={s.show} onClick={() => onShow(seq)}>
        {message ? <span className={`pins-name hue-${hue(message.sender)}`}>{message.mine ? t.you : nameOf(message.sender)}</span> : null}
        <span className="pins-text" dir="auto">
          {message ? previewText(message, t).slice(0, 500) : "…"}
        </span>
        {pinned ? <span className="hint">{s.by(pinned.user === userId ? t.youObject : nameOf(pinned.user), exact(pinned.time, tag))}</span> : null}
      </button>
      {may && message ? (
        <Button busy={busy} onClick={() => void unpin()}>
          {s.unpin}
        </Button>
      ) : null}
    </li>
  );
}
