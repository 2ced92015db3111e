// Asks the browser for camera and microphone before a call begins, and says
// what is in the way. A call goes on without what there is not.
import type { With } from "../model.ts";
import { remembered } from "./chosen.ts";

/** Why a device cannot be used: not allowed, not there, used by another program, or the page is not served securely. */
export type Why = "denied" | "none" | "busy" | "insecure";

/** What is in the way, by device. */
export interface Trouble {
  readonly camera?: Why;
  readonly microphone?: Why;
}

/** What an error of getUserMedia means. */
export function whyOf(error: unknown): Why {
  const name = error instanceof Error || error instanceof DOMException ? error.name : "";
  if (name === "NotAllowedError" || name === "SecurityError") return "denied";
  if (name === "NotFoundError" || name === "OverconstrainedError" || name === "NotSupportedError") return "none";
  return "busy";
}

/** Opens devices; a chosen one that is gone is replaced by what there is. */
export async function open(kind: "camera" | "microphone", id: string | undefined): Promise<MediaStream> {
  const { mediaDevices } = navigator as Partial<Navigator>;
  const of = (what: MediaTrackConstraints | true): MediaStreamConstraints => (kind === "camera" ? { video: what } : { audio: what });
  if (!mediaDevices) throw new DOMException("no devices for a page that did not come securely", "NotFoundError");
  if (!id) return mediaDevices.getUserMedia(of(true));
  return mediaDevices.getUserMedia(of({ deviceId: { exact: id } })).catch((error: unknown) => {
    if (whyOf(error) !== "none") throw error;
    return mediaDevices.getUserMedia(of(true));
  });
}

const stop = (stream: MediaStream): void => stream.getTracks().forEach((track) => track.stop());

/** Tries what is asked for: first together, so that one question asks for both; then apart, to see which it is. */
export async function prepare(on: With): Promise<{ readonly allowed: With; readonly trouble: Trouble | undefined }> {
  if (!on.camera && !on.microphone) return { allowed: on, trouble: undefined };
  const { mediaDevices } = navigator as Partial<Navigator>;
  if (!mediaDevices) {
    return { allowed: { camera: false, microphone: false }, trouble: { ...(on.camera ? { camera: "insecure" } : {}), ...(on.microphone ? { microphone: "insecure" } : {}) } };
  }
  const chosen = remembered();
  if (on.camera && on.microphone) {
    try {
      stop(await mediaDevices.getUserMedia({ audio: chosen.microphoneId ? { deviceId: chosen.microphoneId } : true, video: chosen.cameraId ? { deviceId: chosen.cameraId } : true }));
      return { allowed: on, trouble: undefined };
    } catch {
      // One of them, or both.
    }
  }
  const why = async (kind: "camera" | "microphone", id: string | undefined): Promise<Why | undefined> => {
    try {
      stop(await open(kind, id));
      return undefined;
    } catch (error) {
      return whyOf(error);
    }
  };
  const microphone = on.microphone ? await why("microphone", chosen.microphoneId) : undefined;
  const camera = on.camera ? await why("camera", chosen.cameraId) : undefined;
  const trouble = microphone || camera ? { ...(microphone ? { microphone } : {}), ...(camera ? { camera } : {}) } : undefined;
  return { allowed: { camera: on.camera && !camera, microphone: on.microphone && !microphone }, trouble };
}
