// The call as a small window over the chats, to be moved by hand or by the
// arrow keys.
import { useRef, useState, type KeyboardEvent, type PointerEvent } from "react";
import { createPortal } from "react-dom";
import { useStrings } from "../../i18n/strings.ts";
import { useNames } from "../../people/names.tsx";
import { Avatar } from "../../ui/Avatar.tsx";
import { Icon } from "../../ui/Icon.tsx";
import { RecordingMark } from "../recordings/RecordingMark.tsx";
import type { CallSession } from "../session.ts";
import { Round } from "./Controls.tsx";
import { largest, tilesOf, type Party } from "./parties.ts";
import { Duration } from "./Stage.tsx";
import { strings } from "./strings.ts";
import { Video } from "./Tile.tsx";

interface MiniWindowProps {
  readonly session: CallSession;
  readonly parties: readonly Party[];
  readonly onExpand: () => void;
}

/** Pixels that an arrow key moves it by. */
const step = 24;
const margin = 8;

/** The window. */
export function MiniWindow({ session, parties, onExpand }: MiniWindowProps) {
  const t = useStrings(strings);
  const ref = useRef<HTMLElement>(null);
  const [place, setPlace] = useState<{ readonly left: number; readonly top: number }>();
  const drag = useRef<{ readonly dx: number; readonly dy: number }>(undefined);
  const put = (left: number, top: number) => {
    const { offsetWidth: width = 0, offsetHeight: height = 0 } = ref.current ?? {};
    setPlace({ left: Math.max(margin, Math.min(left, innerWidth - width - margin)), top: Math.max(margin, Math.min(top, innerHeight - height - margin)) });
  };
  const onPointerDown = (event: PointerEvent<HTMLElement>) => {
    if (!ref.current) return;
    const { left, top } = ref.current.getBoundingClientRect();
    drag.current = { dx: event.clientX - left, dy: event.clientY - top };
    event.currentTarget.setPointerCapture(event.pointerId);
  };
  const onPointerMove = (event: PointerEvent<HTMLElement>) => {
    if (drag.current) put(event.clientX - drag.current.dx, event.clientY - drag.current.dy);
  };
  const onKeyDown = (event: KeyboardEvent<HTMLElement>) => {
    const by: Readonly<Record<string, readonly [number, number]>> = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
    const move = by[event.key];
    if (!move || !ref.current) return;
    event.preventDefault();
    event.stopPropagation();
    const { left, top } = ref.current.getBoundingClientRect();
    put(left + move[0], top + move[1]);
  };
  return createPortal(
    <section ref={ref} className="mini" aria-label={t.mini} style={place ? { ...place, right: "auto", bottom: "auto" } : {}}>
      <MiniPicture session={session} parties={parties} />
      <button
        type="button"
        className="mini-move"
        aria-label={t.move}
        title={t.move}
        onPointerDown={onPointerDown}
        onPointerMove={onPointerMove}
        onPointerUp={() => (drag.current = undefined)}
        onPointerCancel={() => (drag.current = undefined)}
        onKeyDown={onKeyDown}
        onDoubleClick={onExpand}
      />
      <MiniBar session={session} onExpand={onExpand} />
    </section>,
    document.body,
  );
}

/** Who is large, without anything to press. */
export function MiniPicture({ session, parties }: { session: CallSession; parties: readonly Party[] }) {
  const t = useStrings(strings);
  const nameOf = useNames();
  const one = largest(tilesOf(parties), undefined, session.speaker);
  const track = one?.kind === "screen" ? one.party.screen : one?.party.camera;
  const name = one ? nameOf(one.party.user) : "";
  const label = session.state === "reconnecting" ? t.reconnecting : session.state === "connecting" || !one ? t.connecting : one.kind === "screen" ? (one.local ? t.yourScreen : t.screenOf(name)) : one.local ? t.you : name;
  return (
    <span className="mini-picture" data-speaking={one?.party.speaking ?? false}>
      {one && track ? <Video track={track} mirrored={one.kind === "camera" && one.local && session.mirrored} whole={one.kind === "screen"} /> : one ? <Avatar id={one.party.user} name={name} size="m" /> : null}
      <span className="tile-name">
        {one && one.kind === "camera" && !one.party.microphone && !one.party.viewer ? <Icon name="microphoneOff" size={14} /> : null}
        <span className="tile-label">{label}</span>
        <RecordingMark call={session.call.id} small />
        <Duration session={session} />
      </span>
    </span>
  );
}

/** The buttons below it. */
export function MiniBar({ session, onExpand }: { session: CallSession; onExpand: () => void }) {
  const t = useStrings(strings);
  return (
    <div className="mini-bar">
      {session.viewer ? null : (
        <Round
          icon={session.microphone ? "microphone" : "microphoneOff"}
          label={session.microphone ? t.muteMe : t.unmuteMe}
          {...(session.microphone ? {} : { kind: "off" as const })}
          onClick={() => void session.setMicrophone(!session.microphone)}
        />
      )}
      <Round icon="expand" label={t.expand} onClick={onExpand} />
      <Round icon="hangUp" label={t.hangUp} kind="end" onClick={() => void session.hangUp().catch(() => undefined)} />
    </div>
  );
}
