// Sound with its waveform: a button to play, the waveform to see and to go
// through, the time, and how fast it plays.
import { useSyncExternalStore, type KeyboardEvent, type PointerEvent, type ReactNode } from "react";
import { useStrings } from "../../i18n/strings.ts";
import { Icon } from "../../ui/Icon.tsx";
import { useFiles } from "../FilesContext.tsx";
import { playTime } from "../sizes.ts";
import type { Track } from "./player.ts";
import { strings } from "./strings.ts";
import { bars } from "./waveform.ts";
import "./voice.css";

interface VoiceBarProps {
  readonly track: Track | undefined;
  readonly waveform: Uint8Array | undefined;
  /** Milliseconds; 0 = unknown. */
  readonly duration: number;
  /** What it is, for who does not see it. */
  readonly label: string;
  /** In the place of the button: how far it has been sent. */
  readonly sign?: ReactNode;
  /** In the place of the time. */
  readonly line?: ReactNode;
  /** A file of sound has a name. */
  readonly name?: string | undefined;
}

const count = 40;
const stepMs = 5000;

/** Draws it. */
export function VoiceBar({ track, waveform, duration, label, sign, line, name }: VoiceBarProps) {
  const s = useStrings(strings);
  const { player } = useFiles();
  const now = useSyncExternalStore(player.subscribe, player.snapshot);
  const mine = track !== undefined && now.id === track.id;
  const whole = mine && now.duration > 0 ? now.duration : duration;
  const at = mine ? Math.min(now.at, whole || now.at) : 0;
  const playing = mine && now.playing;
  const part = whole > 0 ? at / whole : 0;
  const seek = (ms: number) => {
    if (track && whole > 0) player.seek(track, Math.max(0, Math.min(whole - 50, ms)));
  };
  const onPointer = (event: PointerEvent<HTMLElement>) => {
    if (event.type === "pointermove" && !event.currentTarget.hasPointerCapture(event.pointerId)) return;
    if (event.type === "pointerdown") event.currentTarget.setPointerCapture(event.pointerId);
    const { left, width } = event.currentTarget.getBoundingClientRect();
    seek(((event.clientX - left) / width) * whole);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const by = event.key === "ArrowRight" || event.key === "ArrowUp" ? stepMs : event.key === "ArrowLeft" || event.key === "ArrowDown" ? -stepMs : 0;
    if (by === 0) return;
    event.preventDefault();
    event.stopPropagation();
    seek(at + by);
  };
  const speed = player.speed();
  return (
    <div className="voice" role="group" aria-label={label}>
      {sign ?? (
        <button type="button" className="voice-play" aria-label={playing ? s.pause : s.play} disabled={!track} onClick={() => track && player.toggle(track)}>
          <Icon name={playing ? "pause" : "play"} size={20} />
        </button>
      )}
      <div className="voice-body">
        {name === undefined ? null : (
          <span className="voice-name" dir="auto">
            {name}
          </span>
        )}
        <div
          className="voice-wave"
          role="slider"
          tabIndex={track ? 0 : -1}
          aria-label={s.seek}
          aria-disabled={track === undefined}
          aria-valuemin={0}
          aria-valuemax={Math.round(whole / 1000)}
          aria-valuenow={Math.round(at / 1000)}
          aria-valuetext={s.at(playTime(at), playTime(whole))}
          onPointerDown={onPointer}
          onPointerMove={onPointer}
          onKeyDown={onKeyDown}
        >
          {bars(waveform, count).map((height, i) => (
            <span key={i} className="voice-bar" data-heard={(i + 0.5) / count <= part} style={{ height: `${height * 100}%` }} />
          ))}
        </div>
        <span className="voice-line">
          {line ?? (
            <>
              <span>{playTime(mine && (playing || at > 0) ? at : whole)}</span>
              {mine && now.failed ? <span role="alert">{s.cannotPlay}</span> : null}
            </>
          )}
        </span>
      </div>
      {mine && !sign ? (
        <button type="button" className="voice-speed" aria-label={s.speed(String(speed))} onClick={() => player.faster()}>
          {speed}×
        </button>
      ) : null}
    </div>
  );
}
