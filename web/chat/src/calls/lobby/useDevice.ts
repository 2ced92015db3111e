// A camera or a microphone that is open for as long as somebody looks at it,
// the list of all devices, and how loud a microphone is.
import { useCallback, useEffect, useState } from "react";
import { open, whyOf, type Why } from "./prepare.ts";

/** An open device, or why there is none. */
export interface OpenDevice {
  readonly stream: MediaStream | undefined;
  readonly why: Why | undefined;
  readonly again: () => void;
}

/** Opens the camera or the microphone with this id, "" for the browser's own choice, for as long as it is wanted. */
export function useDevice(kind: "camera" | "microphone", id: string, wanted = true): OpenDevice {
  const [state, setState] = useState<{ readonly stream?: MediaStream; readonly why?: Why }>({});
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    if (!wanted) return;
    let gone = false;
    let stream: MediaStream | undefined;
    const end = () => stream?.getTracks().forEach((track) => track.stop());
    open(kind, id).then(
      (opened) => {
        stream = opened;
        if (gone) return end();
        for (const track of opened.getTracks()) track.onended = () => !gone && setState({ why: "none" });
        setState({ stream: opened });
      },
      (error: unknown) => !gone && setState({ why: "mediaDevices" in navigator ? whyOf(error) : "insecure" }),
    );
    return () => {
      gone = true;
      end();
      setState({});
    };
  }, [kind, id, turn, wanted]);
  const again = useCallback(() => setTurn((n) => n + 1), []);
  return { stream: state.stream, why: state.why, again };
}

const none: readonly MediaDeviceInfo[] = [];

/** All devices; read again when one comes or goes, and after `opened`, for only who was allowed one learns their names. */
export function useDevices(opened: unknown): readonly MediaDeviceInfo[] {
  const [devices, setDevices] = useState(none);
  useEffect(() => {
    const { mediaDevices } = navigator as Partial<Navigator>;
    if (!mediaDevices) return;
    let gone = false;
    const read = () =>
      mediaDevices.enumerateDevices().then(
        (all) => !gone && setDevices(all.filter(({ deviceId }) => deviceId !== "")),
        () => undefined,
      );
    void read();
    mediaDevices.addEventListener("devicechange", read);
    return () => {
      gone = true;
      mediaDevices.removeEventListener("devicechange", read);
    };
  }, [opened]);
  return devices;
}

/** How loud a stream is, 0 to 1, some times a second. */
export function useLevel(stream: MediaStream | undefined): number {
  const [level, setLevel] = useState(0);
  useEffect(() => {
    if (!stream) return;
    let context: AudioContext;
    try {
      context = new AudioContext();
    } catch {
      return;
    }
    const analyser = context.createAnalyser();
    analyser.fftSize = 1024;
    context.createMediaStreamSource(stream).connect(analyser);
    void context.resume().catch(() => undefined);
    const samples = new Float32Array(analyser.fftSize);
    const timer = setInterval(() => {
      analyser.getFloatTimeDomainData(samples);
      const loud = Math.sqrt(samples.reduce((sum, x) => sum + x * x, 0) / samples.length);
      // As ears hear it: 60 dB from nothing to full.
      setLevel(loud <= 0 ? 0 : Math.max(0, Math.min(1, 1 + Math.log10(loud) / 3)));
    }, 80);
    return () => {
      clearInterval(timer);
      void context.close().catch(() => undefined);
      setLevel(0);
    };
  }, [stream]);
  return level;
}
