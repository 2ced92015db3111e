// Plays a recording: everybody's picture and voice in step, on one bar.
import type { RecordedTrack, Recording } from "@skein/client/calls";
import { useCallback, useEffect, useMemo, useReducer, useRef, useState, type ReactNode } from "react";
import { playTime } from "../../files/sizes.ts";
import { saveUrl } from "../../files/save.ts";
import { useFileUrl } from "../../files/useSource.ts";
import { useStrings } from "../../i18n/strings.ts";
import { useClient } from "../../live/context.tsx";
import { useNames } from "../../people/names.tsx";
import { Avatar } from "../../ui/Avatar.tsx";
import { Button, IconButton, Spinner } from "../../ui/Button.tsx";
import { Dialog } from "../../ui/Dialog.tsx";
import { strings } from "./strings.ts";
import { Together } from "./together.ts";
import "./recordings.css";

const speeds = [0.5, 1, 1.25, 1.5, 2] as const;

/** The dialog of one recording of a call. */
export function RecordingDialog({ call, recording, onClose }: { call: string; recording: string; onClose: () => void }) {
  const t = useStrings(strings);
  const { found, failed, again } = useFound(call, recording);
  const empty = found && found.tracks.length === 0;
  return (
    <Dialog title={t.title} wide onClose={onClose}>
      {failed ? (
        <p className="info-note" role="alert">
          {t.failed} <Button onClick={again}>{t.again}</Button>
        </p>
      ) : !found ? (
        <p className="info-note hint" role="status">
          <Spinner /> {t.loading}
        </p>
      ) : empty ? (
        <p className="info-note" role="status">
          {found.state === "gathering" || found.state === "on" ? t.gathering : t.gone} <Problem of={found} />
        </p>
      ) : (
        <>
          <Player recording={found} />
          <p className="hint">
            <Problem of={found} />
          </p>
        </>
      )}
    </Dialog>
  );
}

/** What the server says of it. */
function Problem({ of: { problem, problemCode } }: { of: Recording }) {
  const t = useStrings(strings);
  if (problem === "") return null;
  return <small>{problemCode ? t[problemCode] : problem}</small>;
}

function useFound(call: string, id: string) {
  const { calls } = useClient();
  const [found, setFound] = useState<Recording>();
  const [failed, setFailed] = useState(false);
  const [turn, again] = useReducer((n: number) => n + 1, 0);
  useEffect(() => {
    const end = new AbortController();
    setFailed(false);
    calls
      .recordings({ call, limit: 100 }, { signal: end.signal })
      .then(({ recordings }) => {
        const one = recordings.find((recording) => recording.id === id);
        if (one) setFound(one);
        else setFailed(true);
      })
      .catch(() => !end.signal.aborted && setFailed(true));
    return () => end.abort();
  }, [calls, call, id, turn]);
  return { found, failed, again };
}

/** The time line of a recording: it begins with its first track. */
function lineOf({ tracks }: Recording): { readonly start: number; readonly duration: number } {
  const start = Math.min(...tracks.map(({ started }) => started));
  return { start, duration: Math.max(...tracks.map(({ started, duration }) => started + duration - start)) / 1000 };
}

function Player({ recording }: { recording: Recording }) {
  const t = useStrings(strings);
  const { start, duration } = useMemo(() => lineOf(recording), [recording]);
  const [, draw] = useReducer((n: number) => n + 1, 0);
  const together = useMemo(() => new Together(duration, draw), [duration]);
  useEffect(() => {
    const timer = setInterval(() => {
      together.tick();
      if (together.playing) draw();
    }, 100);
    return () => {
      clearInterval(timer);
      together.pause();
    };
  }, [together]);
  const { position, playing } = together;
  const films = recording.tracks.filter(({ mime, source }) => isFilm(mime, source));
  const sounds = recording.tracks.filter((track) => !films.includes(track));
  // Parts of the same camera lie in one place, one after the other.
  const places = [...new Set(films.map(placeOf))];
  return (
    <>
      <div className="recording-grid" data-many={places.length > 1}>
        {places.map((place) => (
          <Place key={place} tracks={films.filter((track) => placeOf(track) === place)} together={together} start={start} position={position} conversation={recording.conversation} />
        ))}
        {places.length === 0 ? <Voices tracks={sounds} /> : null}
      </div>
      {sounds.map((track) => (
        <Media key={track.file} track={track} together={together} start={start} conversation={recording.conversation} />
      ))}
      <div className="recording-bar">
        <IconButton icon={playing ? "pause" : "play"} label={playing ? t.pause : t.play} onClick={() => (playing ? together.pause() : together.play())} />
        <input
          type="range"
          min={0}
          max={duration}
          step={0.1}
          value={position}
          aria-label={t.position}
          aria-valuetext={t.positionAt(playTime(position * 1000), playTime(duration * 1000))}
          onChange={(event) => together.seek(event.currentTarget.valueAsNumber)}
        />
        <span className="recording-time">
          {playTime(position * 1000)} / {playTime(duration * 1000)}
        </span>
        <select aria-label={t.speed} value={together.rate} onChange={(event) => together.setRate(Number(event.currentTarget.value))}>
          {speeds.map((speed) => (
            <option key={speed} value={speed}>
              {speed}×
            </option>
          ))}
        </select>
        {together.waiting ? (
          <span role="status" aria-label={t.loading}>
            <Spinner />
          </span>
        ) : null}
      </div>
      <h3 className="recording-files-title">{t.tracks}</h3>
      <ul className="recording-files" role="list">
        {recording.tracks.map((track) => (
          <Saved key={track.file} track={track} recording={recording} />
        ))}
      </ul>
    </>
  );
}

const isFilm = (mime: string, source: string): boolean => mime.startsWith("video/") && (source === "camera" || source === "screen" || source === "unknown");
const placeOf = ({ user, source }: RecordedTrack): string => `${source} ${user}`;

/** Everybody who is heard, where nobody was seen. */
function Voices({ tracks }: { tracks: readonly RecordedTrack[] }) {
  const nameOf = useNames();
  return [...new Set(tracks.map(({ user }) => user))].map((user) => (
    <figure key={user} className="recording-place recording-voice">
      <Avatar id={user} name={nameOf(user)} size="xl" />
      <figcaption>{nameOf(user)}</figcaption>
    </figure>
  ));
}

/** The picture of one camera, in one or more parts; the person while there is none. */
function Place({ tracks, together, start, position, conversation }: { tracks: readonly RecordedTrack[]; together: Together; start: number; position: number; conversation: string }) {
  const t = useStrings(strings);
  const nameOf = useNames();
  const [{ user, source }] = tracks as readonly [RecordedTrack, ...RecordedTrack[]];
  const name = source === "screen" ? t.of(nameOf(user), t.screen) : nameOf(user);
  const shown = tracks.find(({ started, duration }) => position * 1000 >= started - start && position * 1000 < started - start + duration);
  return (
    <figure className="recording-place">
      {shown ? null : <Avatar id={user} name={nameOf(user)} size="xl" />}
      {tracks.map((track) => (
        <div key={track.file} hidden={track !== shown}>
          <Media track={track} together={together} start={start} conversation={conversation} />
        </div>
      ))}
      <figcaption>{name}</figcaption>
    </figure>
  );
}

function useAddress(track: RecordedTrack, conversation: string, save = false): string | undefined {
  return useFileUrl({ conversation, seq: track.seq }, track.file, { save });
}

/** One file, on the time line. */
function Media({ track, together, start, conversation }: { track: RecordedTrack; together: Together; start: number; conversation: string }): ReactNode {
  const t = useStrings(strings);
  const nameOf = useNames();
  const address = useAddress(track, conversation);
  // A new key makes another address, which is no reason to load it again.
  const [src, setSrc] = useState(address);
  useEffect(() => setSrc((held) => held ?? address), [address]);
  const [broken, setBroken] = useState(false);
  const [element, setElement] = useState<HTMLMediaElement | null>(null);
  const offset = (track.started - start) / 1000;
  useEffect(() => (element ? together.add(element, offset, track.duration / 1000) : undefined), [together, element, offset, track.duration]);
  const ref = useRef<(at: HTMLMediaElement | null) => void>(setElement);
  const onError = useCallback(() => setBroken(true), []);
  if (broken) return <p className="recording-broken">{t.broken(nameOf(track.user))}</p>;
  const props = { ref: ref.current, src, preload: "auto", onError } as const;
  // Nobody wrote down what is said.
  return isFilm(track.mime, track.source) ? <video {...props} muted playsInline disablePictureInPicture /> : <audio {...props} />;
}

function Saved({ track, recording }: { track: RecordedTrack; recording: Recording }) {
  const t = useStrings(strings);
  const nameOf = useNames();
  const url = useAddress(track, recording.conversation, true);
  const what = t.of(nameOf(track.user), t[track.source]);
  return (
    <li>
      <span>{what}</span>
      <span className="hint">{playTime(track.duration)}</span>
      <IconButton icon="save" label={t.save(what)} disabled={url === undefined} onClick={() => url !== undefined && saveUrl(url, track.name)} />
    </li>
  );
}
