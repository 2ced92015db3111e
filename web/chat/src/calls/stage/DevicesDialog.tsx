// Which microphone, camera and loudspeaker the call uses.
import { useEffect, useId, useState } from "react";
import { useStrings } from "../../i18n/strings.ts";
import { Dialog } from "../../ui/Dialog.tsx";
import { useToasts } from "../../ui/Toasts.tsx";
import type { CallSession } from "../session.ts";
import { strings } from "./strings.ts";

/** The dialog. */
export function DevicesDialog({ session, onClose }: { session: CallSession; onClose: () => void }) {
  const t = useStrings(strings);
  const [devices, setDevices] = useState<readonly MediaDeviceInfo[]>([]);
  useEffect(() => {
    let gone = false;
    const look = () =>
      void navigator.mediaDevices.enumerateDevices().then(
        (found) => {
          if (!gone) setDevices(found.filter(({ deviceId }) => deviceId !== ""));
        },
        () => undefined,
      );
    look();
    navigator.mediaDevices.addEventListener("devicechange", look);
    return () => {
      gone = true;
      navigator.mediaDevices.removeEventListener("devicechange", look);
    };
  }, []);
  return (
    <Dialog title={t.devices} onClose={onClose}>
      <Choice session={session} devices={devices} kind="audioinput" label={t.deviceMicrophone} />
      <Choice session={session} devices={devices} kind="videoinput" label={t.deviceCamera} />
      <Choice session={session} devices={devices} kind="audiooutput" label={t.deviceSound} />
    </Dialog>
  );
}

function Choice({ session, devices, kind, label }: { session: CallSession; devices: readonly MediaDeviceInfo[]; kind: MediaDeviceKind; label: string }) {
  const { fail } = useToasts();
  const id = useId();
  const some = devices.filter((device) => device.kind === kind);
  const used = session.room?.getActiveDevice(kind) ?? "default";
  const [chosen, setChosen] = useState(used);
  if (some.length === 0 || (kind === "audiooutput" && !("setSinkId" in HTMLMediaElement.prototype))) return null;
  return (
    <div className="field">
      <label className="field-label" htmlFor={id}>
        {label}
      </label>
      <select
        id={id}
        className="input"
        value={some.some(({ deviceId }) => deviceId === chosen) ? chosen : some[0]?.deviceId}
        onChange={(event) => {
          const { value } = event.target;
          setChosen(value);
          session.setDevice(kind, value).catch((error: unknown) => {
            setChosen(used);
            fail(error);
          });
        }}
      >
        {some.map(({ deviceId, label: name }) => (
          <option key={deviceId} value={deviceId}>
            {name || deviceId}
          </option>
        ))}
      </select>
    </div>
  );
}
