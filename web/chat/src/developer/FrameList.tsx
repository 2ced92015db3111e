// The live frames: newest last, each opens to its whole content.
import { useEffect, useRef, useState, useSyncExternalStore } from "react";
import { exact } from "../format/time.ts";
import { useSpeech } from "../i18n/context.tsx";
import { IconButton } from "../ui/Button.tsx";
import { filterFrames, type FrameLog, type LoggedFrame } from "./frames.ts";

/** The list with its filter, pause and clear. */
export function FrameList({ log }: { log: FrameLog }) {
  const { t } = useSpeech();
  const frames = useSyncExternalStore(log.subscribe, log.get);
  const [filter, setFilter] = useState("");
  const [paused, setPaused] = useState(log.paused);
  const shown = filterFrames(frames, filter);
  const box = useRef<HTMLOListElement>(null);
  const stuck = useRef(true);

  useEffect(() => {
    const list = box.current;
    if (list && stuck.current) list.scrollTop = list.scrollHeight;
  }, [shown]);

  return (
    <div className="frames">
      <div className="frames-bar">
        <input className="input" type="search" value={filter} placeholder={t.devFilter} aria-label={t.devFilter} onChange={(event) => setFilter(event.target.value)} />
        <IconButton
          icon={paused ? "play" : "pause"}
          label={paused ? t.devResume : t.devPause}
          aria-pressed={paused}
          onClick={() => {
            log.paused = !paused;
            setPaused(!paused);
          }}
        />
        <IconButton icon="trash" label={t.devClear} onClick={() => log.clear()} />
      </div>
      {shown.length === 0 ? <p className="hint frames-none">{t.devNoFrames}</p> : null}
      <ol
        ref={box}
        className="frames-list scroll"
        tabIndex={0}
        aria-label={t.devFrames}
        onScroll={(event) => {
          const { scrollTop, scrollHeight, clientHeight } = event.currentTarget;
          stuck.current = scrollHeight - scrollTop - clientHeight < 24;
        }}
      >
        {shown.map((frame) => (
          <Frame key={frame.id} frame={frame} />
        ))}
      </ol>
    </div>
  );
}

function Frame({ frame }: { frame: LoggedFrame }) {
  const { t, tag } = useSpeech();
  const [open, setOpen] = useState(false);
  const out = frame.direction === "out";
  return (
    <li className={`frame ${out ? "frame-out" : "frame-in"}`}>
      <details onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary title={exact(frame.time, tag)}>
          <span aria-hidden="true">{out ? "↑" : "↓"}</span>
          <span className="visually-hidden">{out ? t.devSent : t.devReceived}</span>
          <b>{frame.name}</b>
          <span className="frame-brief">{open ? "" : brief(frame)}</span>
        </summary>
        {open ? <pre>{JSON.stringify(frame.frame, undefined, 2)}</pre> : null}
      </details>
    </li>
  );
}

/** What a frame carries, on one line: without the envelope that every frame has. */
function brief({ frame, name }: LoggedFrame): string {
  const inner: unknown = typeof frame === "object" && frame !== null ? (Reflect.get(frame, name) ?? frame) : frame;
  return (JSON.stringify(inner) ?? "").slice(0, 400);
}
