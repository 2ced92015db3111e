// End-to-end encryption of a call by words that everybody in it knows: the
// media server passes on what it cannot read. The words never leave the page.
import type * as livekit from "livekit-client";

/** Milliseconds between two looks at whether somebody can be seen after all. */
const every = 2000;

/** The encryption of one connection to a room. */
export class Encryption {
  readonly words: string;
  /** For the room's options. */
  readonly options: livekit.E2EEOptions;
  readonly #worker: Worker;
  readonly #changed: () => void;
  readonly #unreadable = new Map<string, number>();
  #seen: ReadonlySet<string> = new Set();
  #timer: ReturnType<typeof setInterval> | undefined;

  private constructor(words: string, options: livekit.E2EEOptions, worker: Worker, changed: () => void) {
    this.words = words;
    this.options = options;
    this.#worker = worker;
    this.#changed = changed;
  }

  /** Makes it. Rejects where the browser cannot encrypt. */
  static async of(library: typeof livekit, words: string, changed: () => void): Promise<Encryption> {
    if (!library.isE2EESupported()) throw new Error("this browser cannot encrypt calls end to end");
    const keyProvider = new library.ExternalE2EEKeyProvider();
    await keyProvider.setKey(normal(words));
    const { default: EncryptionWorker } = await import("livekit-client/e2ee-worker?worker");
    const worker = new EncryptionWorker();
    return new Encryption(words, { keyProvider, worker }, worker, changed);
  }

  /** Identities of those whose frames these words do not open. */
  get unreadable(): ReadonlySet<string> {
    return this.#seen;
  }

  /** Follows who can be read in a room. */
  watch(room: livekit.Room): void {
    const forget = (participant: livekit.RemoteParticipant) => {
      if (this.#unreadable.delete(participant.identity)) this.#tell();
    };
    room.on("encryptionError", (_, participant) => {
      if (!participant || participant.isLocal || this.#unreadable.has(participant.identity)) return;
      this.#unreadable.set(participant.identity, -1);
      this.#tell();
      this.#timer ??= setInterval(() => void this.#look(room), every);
    });
    room.on("participantDisconnected", forget);
  }

  /** Somebody whose pictures are decoded is readable: one frame that could not be opened says little. */
  async #look(room: livekit.Room): Promise<void> {
    for (const [identity, before] of [...this.#unreadable]) {
      let frames = 0;
      for (const { track } of room.remoteParticipants.get(identity)?.videoTrackPublications.values() ?? []) {
        for (const entry of (await track?.getRTCStatsReport())?.values() ?? []) {
          if ((entry as { type: string }).type === "inbound-rtp") frames += (entry as { framesDecoded?: number }).framesDecoded ?? 0;
        }
      }
      if (!this.#unreadable.has(identity)) continue;
      if (before >= 0 && frames > before) {
        this.#unreadable.delete(identity);
        this.#tell();
      } else this.#unreadable.set(identity, frames);
    }
  }

  #tell(): void {
    this.#seen = new Set(this.#unreadable.keys());
    if (this.#unreadable.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
    this.#changed();
  }

  /** Ends the worker. */
  end(): void {
    clearInterval(this.#timer);
    this.#worker.terminate();
  }
}

/** The words as the key is made of them: what people type differently without meaning it is the same. */
export function normal(words: string): string {
  return words.normalize("NFKC").trim().replace(/\s+/gu, " ");
}

/** Whether this browser can encrypt frames: by a transform in a worker, or by streams of them. */
export function canEncrypt(): boolean {
  return "RTCRtpScriptTransform" in window || (typeof RTCRtpSender !== "undefined" && "createEncodedStreams" in RTCRtpSender.prototype);
}
