// The bar below the head of a thread: the newest pinned message. A press shows
// it in the thread, the next one leads to the pin before it.
import type { Conversation, ConversationSnapshot } from "@skein/client";
import { useState } from "react";
import { previewText } from "../format/describe.ts";
import { useWords } from "../i18n/context.tsx";
import { useStrings } from "../i18n/strings.ts";
import { IconButton } from "../ui/Button.tsx";
import { Icon } from "../ui/Icon.tsx";
import { PinsDialog } from "./PinsDialog.tsx";
import "./pins.css";
import { strings } from "./strings.ts";
import { usePins } from "./usePins.ts";

interface PinnedBarProps {
  readonly conversation: Conversation;
  readonly snapshot: ConversationSnapshot;
  readonly onShow: (seq: number, thread: number | undefined) => void;
}

/** The bar; nothing where nothing is pinned. */
export function PinnedBar({ conversation, snapshot, onShow }: PinnedBarProps) {
  const t = useWords();
  const s = useStrings(strings);
  const pins = usePins(conversation, snapshot);
  const [at, setAt] = useState<{ readonly newest: number; readonly seq: number }>();
  const [open, setOpen] = useState(false);
  const newest = pins[0]?.seq ?? 0;
  // A new pin is shown first, wherever one was.
  const index = Math.max(0, at?.newest === newest ? pins.findIndex(({ seq }) => seq === at.seq) : 0);
  const shown = pins[index];
  const show = (seq: number) => onShow(seq, pins.find((pin) => pin.seq === seq)?.message?.delivery?.threadSeq);
  return (
    <>
      {shown ? (
        <section className="pinned-bar" aria-label={s.pinned}>
          <Icon name="pin" size={20} />
          <button
            type="button"
            className="pinned-open"
            title={s.show}
            onClick={() => {
              show(shown.seq);
              setAt({ newest, seq: pins[(index + 1) % pins.length]?.seq ?? 0 });
            }}
          >
            <span className="pinned-title">
              {s.pinned}
              {pins.length > 1 ? <span className="pinned-place">{s.place(index + 1, pins.length)}</span> : null}
            </span>
            <span className="pinned-text" dir="auto">
              {shown.message ? previewText(shown.message, t).slice(0, 200) : "…"}
            </span>
          </button>
          <IconButton icon="menu" size={20} label={s.all} aria-haspopup="dialog" onClick={() => setOpen(true)} />
        </section>
      ) : null}
      {open ? (
        <PinsDialog
          conversation={conversation}
          snapshot={snapshot}
          pins={pins}
          onShow={(seq) => {
            setOpen(false);
            show(seq);
          }}
          onClose={() => setOpen(false)}
        />
      ) : null}
    </>
  );
}
