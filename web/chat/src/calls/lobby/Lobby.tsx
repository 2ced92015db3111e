// The choice of camera, microphone and speaker: what the camera sees, how loud
// the microphone is, a sound to try the speaker with, and what to do about what
// does not work. Before a call and in one.
import { useEffect, useId, useRef, useState, type ReactNode } from "react";
import { useStrings } from "../../i18n/strings.ts";
import { useWords } from "../../i18n/context.tsx";
import { Button, Spinner } from "../../ui/Button.tsx";
import { Dialog } from "../../ui/Dialog.tsx";
import { Icon } from "../../ui/Icon.tsx";
import { useCalls, useCallsState } from "../CallsContext.tsx";
import { askToNotify, notifies } from "../ring/notify.ts";
import { play } from "../ring/tones.ts";
import type { CallSession } from "../session.ts";
import { remember, remembered, type Chosen } from "./chosen.ts";
import { helpFor } from "./help.ts";
import { LobbyWords } from "./LobbyWords.tsx";
import type { Why } from "./prepare.ts";
import { strings } from "./strings.ts";
import { useDevice, useDevices, useLevel } from "./useDevice.ts";

interface LobbyProps {
  /** The call that the choice is for at once. */
  readonly session: CallSession | undefined;
  /** The call that it is for has pictures: the camera is opened. Else it is when the person says so: nobody's camera lights up for a voice call. */
  readonly video?: boolean;
  readonly onClose: () => void;
}

const kinds = { cameraId: "videoinput", microphoneId: "audioinput", speakerId: "audiooutput" } as const satisfies Record<keyof Chosen, MediaDeviceKind>;
const canChooseSpeaker = "setSinkId" in HTMLMediaElement.prototype;

/** The dialog. */
export function Lobby({ session, video = session?.camera ?? false, onClose }: LobbyProps) {
  const t = useWords();
  const s = useStrings(strings);
  const [chosen, setChosen] = useState(remembered);
  const { trouble } = useCallsState();
  const [looks, setLooks] = useState(video || trouble?.camera !== undefined);
  const camera = useDevice("camera", chosen.cameraId ?? "", looks);
  const microphone = useDevice("microphone", chosen.microphoneId ?? "");
  const devices = useDevices(camera.stream ?? microphone.stream);

  const calls = useCalls();
  useEffect(() => {
    if (camera.stream) calls?.works("camera");
  }, [calls, camera.stream]);
  useEffect(() => {
    if (microphone.stream) calls?.works("microphone");
  }, [calls, microphone.stream]);

  const choose = (name: keyof Chosen, id: string) => {
    setChosen(remember({ [name]: id }));
    // The browser's own choice is the first of its list.
    const device = id || devices.find(({ kind }) => kind === kinds[name])?.deviceId;
    if (device) void session?.setDevice(kinds[name], device).catch(() => undefined);
  };
  const picker = (name: keyof Chosen, label: string) => <Picker label={label} devices={devices.filter(({ kind }) => kind === kinds[name])} value={chosen[name] ?? ""} onChange={(id) => choose(name, id)} />;
  return (
    <Dialog
      title={s.title}
      wide
      onClose={onClose}
      actions={
        <Button kind="primary" onClick={onClose}>
          {t.done}
        </Button>
      }
    >
      <div className="lobby">
        <Preview stream={camera.stream} waits={looks && camera.why === undefined} onLook={looks ? undefined : () => setLooks(true)} />
        <div className="lobby-part">
          {picker("cameraId", s.camera)}
          {camera.why ? <Help kind="camera" why={camera.why} onAgain={camera.again} /> : null}
        </div>
        <div className="lobby-part">
          {picker("microphoneId", s.microphone)}
          {microphone.why ? <Help kind="microphone" why={microphone.why} known={microphone.why === camera.why} onAgain={microphone.again} /> : <Meter stream={microphone.stream} />}
        </div>
        <div className="lobby-part">
          {canChooseSpeaker ? picker("speakerId", s.speaker) : <p className="field-hint">{s.speakerFixed}</p>}
          <Button kind="soft" onClick={() => void play("test", chosen.speakerId)}>
            <Icon name="speaker" size={18} />
            {s.test}
          </Button>
        </div>
        <LobbyWords session={session} />
        <Notifying />
      </div>
    </Dialog>
  );
}

interface PickerProps {
  readonly label: string;
  readonly devices: readonly MediaDeviceInfo[];
  readonly value: string;
  readonly onChange: (id: string) => void;
}

function Picker({ label, devices, value, onChange }: PickerProps) {
  const s = useStrings(strings);
  const id = useId();
  // One that was chosen and is unplugged is not the one that is used.
  const there = devices.some(({ deviceId }) => deviceId === value);
  const own = devices.filter(({ deviceId }) => deviceId !== "default" && deviceId !== "communications");
  return (
    <div className="lobby-pick">
      <label htmlFor={id}>{label}</label>
      <select id={id} className="input" value={there ? value : ""} onChange={(event) => onChange(event.target.value)}>
        <option value="">{s.standard}</option>
        {own.map(({ deviceId, label: name }, i) => (
          <option key={deviceId} value={deviceId}>
            {name || s.device(label, i + 1)}
          </option>
        ))}
      </select>
    </div>
  );
}

function Preview({ stream, waits, onLook }: { stream: MediaStream | undefined; waits: boolean; onLook: (() => void) | undefined }) {
  const s = useStrings(strings);
  const video = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    const element = video.current;
    if (element) element.srcObject = stream ?? null;
    return () => {
      if (element) element.srcObject = null;
    };
  }, [stream]);
  return (
    <div className="lobby-preview">
      <video ref={video} autoPlay muted playsInline aria-label={s.preview} hidden={!stream} />
      {onLook ? (
        <Button kind="soft" onClick={onLook}>
          <Icon name="video" size={18} />
          {s.look}
        </Button>
      ) : stream ? null : waits ? (
        <Spinner />
      ) : (
        <Icon name="videoOff" size={44} />
      )}
    </div>
  );
}

/** After so many milliseconds without a sound it is asked whether it is muted. */
const silentMs = 6000;

function Meter({ stream }: { stream: MediaStream | undefined }) {
  const s = useStrings(strings);
  const level = useLevel(stream);
  const [silent, setSilent] = useState(false);
  const heard = level > 0.05;
  useEffect(() => {
    setSilent(false);
    if (heard || !stream) return;
    const timer = setTimeout(() => setSilent(true), silentMs);
    return () => clearTimeout(timer);
  }, [heard, stream]);
  return (
    <>
      <meter className="lobby-meter" min={0} max={1} value={level} aria-label={s.level} />
      {silent ? (
        <p className="field-hint" role="status">
          {s.silent}
        </p>
      ) : null}
    </>
  );
}

/** `known`: how to help it stands there already. */
function Help({ kind, why, known = false, onAgain }: { kind: "camera" | "microphone"; why: Why; known?: boolean; onAgain: () => void }) {
  const s = useStrings(strings);
  const all = helpFor(kind, why, s, navigator.userAgent);
  return (
    <div className="lobby-help" role="alert">
      {(known ? all.slice(0, 1) : all).map((text, i) => (
        <p key={i}>{text}</p>
      ))}
      {why === "insecure" ? null : <Button onClick={onAgain}>{s.again}</Button>}
    </div>
  );
}

/** Whether the system tells of calls while the page is hidden. */
function Notifying(): ReactNode {
  const s = useStrings(strings);
  const [on, setOn] = useState(notifies);
  if (on === true || typeof Notification === "undefined") return null;
  if (on === false) return <p className="field-hint">{s.notifyDenied}</p>;
  return (
    <Button kind="soft" onClick={() => void askToNotify().then(() => setOn(notifies()))}>
      {s.notify}
    </Button>
  );
}
