// A button that reads a QR code: by the camera, or from a picture.
import { useEffect, useRef, useState, type ChangeEvent } from "react";
import { useStrings } from "../i18n/strings.ts";
import { Button } from "../ui/Button.tsx";
import { Dialog } from "../ui/Dialog.tsx";
import { codeReader, type ReadCode } from "./detector.ts";
import { strings } from "./strings.ts";
import "./scan.css";

/** How often a picture of the camera is looked at, in milliseconds. */
const lookMs = 200;

/** The button; nothing where the browser reads no codes. */
export function ScanButton({ onFound }: { onFound: (text: string) => void }) {
  const s = useStrings(strings);
  const [read, setRead] = useState<{ readonly code: ReadCode }>();
  const [open, setOpen] = useState(false);
  useEffect(() => {
    let gone = false;
    void codeReader().then((code) => {
      if (!gone && code) setRead({ code });
    });
    return () => {
      gone = true;
    };
  }, []);
  if (!read) return null;
  return (
    <>
      <Button kind="soft" onClick={() => setOpen(true)}>
        {s.scan}
      </Button>
      {open ? (
        <ScanDialog
          read={read.code}
          onClose={() => setOpen(false)}
          onFound={(text) => {
            setOpen(false);
            onFound(text);
          }}
        />
      ) : null}
    </>
  );
}

interface ScanDialogProps {
  readonly read: ReadCode;
  readonly onFound: (text: string) => void;
  readonly onClose: () => void;
}

function ScanDialog({ read, onFound, onClose }: ScanDialogProps) {
  const s = useStrings(strings);
  const video = useRef<HTMLVideoElement>(null);
  const file = useRef<HTMLInputElement>(null);
  const [camera, setCamera] = useState<"asking" | "on" | "off">("asking");
  const [missed, setMissed] = useState(false);
  const found = useRef(onFound);
  found.current = onFound;

  useEffect(() => {
    let gone = false;
    let stream: MediaStream | undefined;
    let timer = 0;
    const look = async () => {
      const text = video.current ? await read(video.current).catch(() => undefined) : undefined;
      if (gone) return;
      if (text) found.current(text);
      else timer = window.setTimeout(() => void look(), lookMs);
    };
    const begin = async () => {
      // Absent where the page did not come over https.
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
      if (gone || !video.current) return stop();
      video.current.srcObject = stream;
      await video.current.play();
      setCamera("on");
      await look();
    };
    const stop = () => stream?.getTracks().forEach((track) => track.stop());
    begin().catch(() => {
      stop();
      if (!gone) setCamera("off");
    });
    return () => {
      gone = true;
      window.clearTimeout(timer);
      stop();
    };
  }, [read]);

  const choose = async (event: ChangeEvent<HTMLInputElement>) => {
    const picture = event.target.files?.[0];
    event.target.value = "";
    if (!picture) return;
    setMissed(false);
    try {
      const bitmap = await createImageBitmap(picture);
      const text = await read(bitmap);
      bitmap.close();
      if (text) onFound(text);
      else setMissed(true);
    } catch {
      setMissed(true); // it is no picture
    }
  };
  return (
    <Dialog title={s.scan} onClose={onClose}>
      <p className="hint" role="status">
        {camera === "off" ? s.noCamera : s.aim}
      </p>
      {camera === "off" ? null : <video ref={video} className="scan-video" muted playsInline />}
      {missed ? (
        <p className="field-error" role="alert">
          {s.nothing}
        </p>
      ) : null}
      <input ref={file} type="file" accept="image/*" hidden onChange={(event) => void choose(event)} />
      <div className="dialog-submit">
        <Button kind={camera === "off" ? "primary" : "soft"} onClick={() => file.current?.click()}>
          {s.picture}
        </Button>
      </div>
    </Dialog>
  );
}
