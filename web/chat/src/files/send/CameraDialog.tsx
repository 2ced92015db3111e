// A photo by the camera of a computer. Phones have an app for that, which the
// file input opens.
import { useEffect, useRef, useState } from "react";
import { useWords } from "../../i18n/context.tsx";
import { useStrings } from "../../i18n/strings.ts";
import { Button } from "../../ui/Button.tsx";
import { Dialog } from "../../ui/Dialog.tsx";
import { strings } from "./strings.ts";

interface CameraDialogProps {
  readonly onPhoto: (file: File) => void;
  readonly onClose: () => void;
}

/** The dialog. */
export function CameraDialog({ onPhoto, onClose }: CameraDialogProps) {
  const t = useWords();
  const s = useStrings(strings);
  const video = useRef<HTMLVideoElement>(null);
  const [state, setState] = useState<"opening" | "open" | "denied" | "none" | "busy">("opening");
  const [facing, setFacing] = useState<"user" | "environment">("user");
  const [several, setSeveral] = useState(false);
  const [photo, setPhoto] = useState<{ readonly file: File; readonly url: string }>();

  useEffect(() => {
    let stream: MediaStream | undefined;
    let gone = false;
    const open = async () => {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: facing, width: { ideal: 1920 }, height: { ideal: 1080 } } });
      const element = video.current;
      if (gone || !element) {
        stream.getTracks().forEach((track) => track.stop());
        return;
      }
      element.srcObject = stream;
      await element.play();
      setState("open");
      const devices = await navigator.mediaDevices.enumerateDevices();
      setSeveral(devices.filter(({ kind }) => kind === "videoinput").length > 1);
    };
    open().catch((error: unknown) => {
      if (gone) return;
      const name = error instanceof DOMException ? error.name : "";
      setState(name === "NotAllowedError" || name === "SecurityError" ? "denied" : name === "NotFoundError" || name === "OverconstrainedError" || !navigator.mediaDevices ? "none" : "busy");
    });
    return () => {
      gone = true;
      stream?.getTracks().forEach((track) => track.stop());
    };
  }, [facing]);
  useEffect(
    () => () => {
      if (photo) URL.revokeObjectURL(photo.url);
    },
    [photo],
  );

  const capture = () => {
    const element = video.current;
    if (!element || element.videoWidth === 0) return;
    const canvas = document.createElement("canvas");
    canvas.width = element.videoWidth;
    canvas.height = element.videoHeight;
    canvas.getContext("2d")?.drawImage(element, 0, 0);
    canvas.toBlob(
      (blob) => {
        if (!blob) return;
        const file = new File([blob], `photo-${new Date().toISOString().slice(0, 19).replaceAll(":", ".")}.jpg`, { type: "image/jpeg" });
        setPhoto({ file, url: URL.createObjectURL(file) });
      },
      "image/jpeg",
      0.92,
    );
  };

  const problem = { opening: undefined, open: undefined, denied: s.cameraDenied, none: s.noCamera, busy: s.cameraBusy }[state];
  return (
    <Dialog
      title={s.takePhoto}
      wide
      onClose={onClose}
      actions={
        photo ? (
          <>
            <Button onClick={() => setPhoto(undefined)}>{s.again}</Button>
            <Button kind="primary" onClick={() => onPhoto(photo.file)}>
              {s.use}
            </Button>
          </>
        ) : (
          <>
            {several ? <Button onClick={() => setFacing(facing === "user" ? "environment" : "user")}>{s.flip}</Button> : null}
            <Button onClick={onClose}>{t.cancel}</Button>
            <Button kind="primary" disabled={state !== "open"} onClick={capture}>
              {s.capture}
            </Button>
          </>
        )
      }
    >
      <div className="camera" data-facing={facing}>
        <video ref={video} muted playsInline aria-label={s.camera} hidden={photo !== undefined || problem !== undefined} />
        {photo ? <img src={photo.url} alt={photo.file.name} /> : null}
        {problem ? <p role="alert">{problem}</p> : null}
      </div>
    </Dialog>
  );
}
