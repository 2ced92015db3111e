// Which camera, microphone and speaker a person has chosen, kept in this browser.
import { browserStorage } from "../../live/context.tsx";

/** The ids of devices; what is missing is the browser's own choice. */
export interface Chosen {
  readonly cameraId?: string;
  readonly microphoneId?: string;
  readonly speakerId?: string;
}

const key = "skein.web.calls.devices";

/** What was chosen here last. */
export function remembered(): Chosen {
  try {
    const raw = JSON.parse(browserStorage()?.getItem(key) ?? "{}") as Partial<Record<keyof Chosen, unknown>> | null;
    const one = (name: keyof Chosen) => (typeof raw?.[name] === "string" && raw[name] !== "" ? { [name]: raw[name] } : {});
    return { ...one("cameraId"), ...one("microphoneId"), ...one("speakerId") };
  } catch {
    return {};
  }
}

/** Keeps a choice beside the others; "" gives it back to the browser. */
export function remember(choice: Chosen): Chosen {
  const all = { ...remembered(), ...choice };
  try {
    browserStorage()?.setItem(key, JSON.stringify(all));
  } catch {
    // Full or forbidden: chosen for this page alone.
  }
  return all;
}
