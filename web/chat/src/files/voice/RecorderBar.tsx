// The bar in the place of the field while a voice message is recorded, and
// while one listens to it before it goes.
import { useEffect, useMemo, useRef, useSyncExternalStore } from "react";
import { useStrings } from "../../i18n/strings.ts";
import { IconButton } from "../../ui/Button.tsx";
import { Icon } from "../../ui/Icon.tsx";
import { useFiles } from "../FilesContext.tsx";
import { playTime } from "../sizes.ts";
import type { Recorder, Recording } from "./recorder.ts";
import { strings } from "./strings.ts";
import { VoiceBar } from "./VoiceBar.tsx";

interface RecorderBarProps {
  readonly recorder?: Recorder;
  /** The button is being held: letting go sends. */
  readonly held?: boolean;
  readonly recording?: Recording;
  /** How far the finger slid aside. */
  readonly slid: number;
  readonly cancelling: boolean;
  readonly onDiscard: () => void;
  readonly onStop: () => void;
  readonly onSend: () => void;
}

/** The bar. */
export function RecorderBar({ recorder, held = false, recording, slid, cancelling, onDiscard, onStop, onSend }: RecorderBarProps) {
  const s = useStrings(strings);
  const send = useRef<HTMLButtonElement>(null);
  const free = !held;
  useEffect(() => {
    if (free) send.current?.focus();
  }, [free, recording]);
  return (
    <div
      className="recorder"
      role="group"
      aria-label={recording ? s.preview : s.recording}
      onKeyDown={(event) => {
        if (event.key !== "Escape") return;
        event.preventDefault();
        event.stopPropagation();
        onDiscard();
      }}
    >
      {held ? null : <IconButton icon="trash" size={22} label={s.cancel} onClick={onDiscard} />}
      {recorder ? <Live recorder={recorder} /> : null}
      {recording ? <Preview recording={recording} /> : null}
      {held ? (
        <span className="recorder-hint" data-cancelling={cancelling} style={{ transform: `translateX(${-Math.min(slid, 120) / 2}px)` }}>
          <span>{cancelling ? s.release : `‹ ${s.slide}`}</span>
          {cancelling ? null : (
            <span className="recorder-lock">
              <Icon name="up" size={14} /> {s.lock}
            </span>
          )}
        </span>
      ) : null}
      {recorder && !held ? <IconButton icon="stop" size={22} label={s.stop} onClick={onStop} /> : null}
      {held ? null : <IconButton ref={send} icon="send" size={24} className="composer-send" label={s.send} onClick={onSend} />}
    </div>
  );
}

/** As many as a wide composer has room for; a narrow one shows the last of them. */
const liveBars = 110;

function Live({ recorder }: { recorder: Recorder }) {
  const s = useStrings(strings);
  const elapsed = useSyncExternalStore(recorder.subscribe, recorder.elapsed);
  const time = playTime(elapsed);
  return (
    <>
      <span className="recorder-dot" aria-hidden="true" />
      <span className="recorder-time" role="timer" aria-label={s.recordingFor(time)}>
        {time}
      </span>
      <span className="voice-wave recorder-wave" aria-hidden="true">
        {recorder.levels(liveBars).map((level, i) => (
          <span key={i} className="voice-bar" data-heard="true" style={{ height: `${Math.max(6, level * 100)}%` }} />
        ))}
      </span>
    </>
  );
}

function Preview({ recording }: { recording: Recording }) {
  const s = useStrings(strings);
  const { player } = useFiles();
  const src = useMemo(() => URL.createObjectURL(recording.blob), [recording]);
  const track = useMemo(() => ({ id: src, src, duration: recording.durationMs }), [src, recording]);
  useEffect(
    () => () => {
      player.stop(src);
      URL.revokeObjectURL(src);
    },
    [player, src],
  );
  return <VoiceBar track={track} waveform={recording.waveform} duration={recording.durationMs} label={s.preview} />;
}
