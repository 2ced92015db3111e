// Records a voice message: the microphone, its level while it goes on, and at
// its end the bytes with their length and waveform.
import { levelOf, toWaveform } from "./waveform.ts";
import { withDuration } from "./webm.ts";

/** A recording that is over. */
export interface Recording {
  readonly blob: Blob;
  readonly durationMs: number;
  readonly waveform: Uint8Array;
}

/** Why there is no recording. */
export type RecordProblem = "denied" | "noMicrophone" | "busyMicrophone" | "unsupported" | "insecure";

/** The level is taken this often. */
const levelMs = 60;
/** A recording ends by itself after half an hour. */
export const longestMs = 30 * 60_000;

/** The kinds that players everywhere take, best first. */
const kinds = ["audio/webm;codecs=opus", "audio/ogg;codecs=opus", "audio/mp4"];

/** Whether this browser can record at all; on a page that is not secure it hides its devices. */
export function recordable(): RecordProblem | undefined {
  if (typeof MediaRecorder === "undefined") return "unsupported";
  return navigator.mediaDevices ? undefined : window.isSecureContext ? "unsupported" : "insecure";
}

/** What a refusal of the microphone means. */
export function problemOf(error: unknown): RecordProblem {
  const name = error instanceof Error ? error.name : "";
  if (name === "NotAllowedError" || name === "SecurityError") return "denied";
  if (name === "NotFoundError" || name === "OverconstrainedError") return "noMicrophone";
  return name === "NotSupportedError" ? "unsupported" : "busyMicrophone";
}

/** A recording that goes on. */
export class Recorder {
  readonly #stream: MediaStream;
  readonly #recorder: MediaRecorder;
  readonly #context: AudioContext;
  readonly #samples: Float32Array<ArrayBuffer>;
  readonly #analyser: AnalyserNode;
  readonly #chunks: Blob[] = [];
  readonly #levels: number[] = [];
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #begun = performance.now();
  readonly #listeners = new Set<() => void>();
  #elapsed = 0;

  /** Asks for the microphone and begins. Throws what the browser says. */
  static async start(): Promise<Recorder> {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: { echoCancellation: true, noiseSuppression: true, autoGainControl: true } });
    try {
      return new Recorder(stream);
    } catch (error) {
      for (const track of stream.getTracks()) track.stop();
      throw error;
    }
  }

  private constructor(stream: MediaStream) {
    this.#stream = stream;
    const mimeType = kinds.find((kind) => MediaRecorder.isTypeSupported(kind));
    this.#recorder = new MediaRecorder(stream, { ...(mimeType ? { mimeType } : {}), audioBitsPerSecond: 32_000 });
    this.#recorder.addEventListener("dataavailable", ({ data }) => this.#chunks.push(data));
    this.#context = new AudioContext();
    this.#analyser = this.#context.createAnalyser();
    this.#analyser.fftSize = 1024;
    this.#samples = new Float32Array(this.#analyser.fftSize);
    this.#context.createMediaStreamSource(stream).connect(this.#analyser);
    this.#recorder.start();
    this.#timer = setInterval(() => this.#measure(), levelMs);
  }

  /** Hears of each new level until the returned function is called. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** Milliseconds so far. */
  readonly elapsed = (): number => this.#elapsed;

  /** The last levels, 0 to 1 each. */
  levels(count: number): readonly number[] {
    const last = this.#levels.slice(-count);
    return [...Array.from({ length: count - last.length }, () => 0), ...last];
  }

  /** Ends it. */
  async stop(): Promise<Recording> {
    const ended = new Promise((resolve) => this.#recorder.addEventListener("stop", resolve, { once: true }));
    if (this.#recorder.state !== "inactive") this.#recorder.stop();
    else if (this.#chunks.length > 0) return this.#made();
    await ended;
    return this.#made();
  }

  /** Ends it, and nothing is kept. */
  discard(): void {
    if (this.#recorder.state !== "inactive") this.#recorder.stop();
    this.#close();
  }

  async #made(): Promise<Recording> {
    const durationMs = Math.round(this.#elapsed || performance.now() - this.#begun);
    this.#close();
    const type = (this.#recorder.mimeType || "audio/webm").replace(/;.*/s, "");
    const bytes = new Uint8Array(await new Blob(this.#chunks).arrayBuffer());
    return { blob: new Blob([type === "audio/webm" ? withDuration(bytes, durationMs) : bytes], { type }), durationMs, waveform: toWaveform(this.#levels) };
  }

  #measure(): void {
    this.#elapsed = performance.now() - this.#begun;
    this.#analyser.getFloatTimeDomainData(this.#samples);
    this.#levels.push(levelOf(this.#samples));
    for (const listener of this.#listeners) listener();
  }

  #close(): void {
    clearInterval(this.#timer);
    for (const track of this.#stream.getTracks()) track.stop();
    void this.#context.close().catch(() => undefined);
  }
}
