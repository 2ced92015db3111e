// Notices that somebody speaks into a microphone that is off. It listens to a
// copy of the track that stays in this page: nothing of it is sent or kept.

/** Times a second that the loudness is looked at. */
const looks = 8;
/** Loudness, of 1, that is more than a room's noise. */
const loud = 0.045;
/** So many loud looks of the last eight are speech; a knock on the table is not. */
const enough = 4;
/** Looks for which it is said after the last speech. */
const lasts = 4 * looks;

/** Watches one track at a time. */
export class SpeechWhileMuted {
  readonly #changed: () => void;
  #context: AudioContext | undefined;
  #copy: MediaStreamTrack | undefined;
  #of: MediaStreamTrack | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;
  #speaking = false;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** Somebody speaks, or did a moment ago. */
  get speaking(): boolean {
    return this.#speaking;
  }

  /** Listens to this track from now on, which is switched off; to none without one. */
  watch(track: MediaStreamTrack | undefined): void {
    if (track === this.#of) return;
    this.#stop();
    if (!track) return;
    this.#of = track;
    this.#copy = track.clone();
    this.#copy.enabled = true;
    this.#context ??= new AudioContext();
    const analyser = this.#context.createAnalyser();
    analyser.fftSize = 1024;
    const source = this.#context.createMediaStreamSource(new MediaStream([this.#copy]));
    source.connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    const heard: boolean[] = [];
    let rest = 0;
    this.#timer = setInterval(() => {
      analyser.getFloatTimeDomainData(samples);
      heard.push(Math.sqrt(samples.reduce((sum, x) => sum + x * x, 0) / samples.length) > loud);
      if (heard.length > looks) heard.shift();
      rest = heard.filter(Boolean).length >= enough ? lasts : rest - 1;
      this.#say(rest > 0);
    }, 1000 / looks);
  }

  #say(speaking: boolean): void {
    if (speaking === this.#speaking) return;
    this.#speaking = speaking;
    this.#changed();
  }

  #stop(): void {
    clearInterval(this.#timer);
    this.#copy?.stop();
    this.#copy = this.#of = undefined;
    this.#say(false);
  }

  /** Ends for good. */
  end(): void {
    this.#stop();
    void this.#context?.close();
    this.#context = undefined;
  }
}
