// The one player of voice messages and sound: only one plays at a time, and
// after one the next plays on.

/** Something to play. */
export interface Track {
  /** What tells it from all others. */
  readonly id: string;
  readonly src: string;
  /** Milliseconds; 0 = unknown. */
  readonly duration: number;
  /** What to play after it; asked when it has ended. */
  readonly next?: (() => Track | undefined) | undefined;
}

/** What is playing. Times are in milliseconds. */
export interface Playing {
  readonly id: string;
  readonly playing: boolean;
  readonly at: number;
  readonly duration: number;
  /** It can not be read or played. */
  readonly failed: boolean;
}

/** The part of an audio element that is used, so that a test can stand in for it. */
export type Sound = Pick<HTMLAudioElement, "src" | "currentTime" | "duration" | "playbackRate" | "paused" | "play" | "pause" | "addEventListener" | "load">;

/** The speeds, in the order in which the button goes through them. */
export const speeds = [1, 1.5, 2] as const;

const idle: Playing = { id: "", playing: false, at: 0, duration: 0, failed: false };

/** The player. */
export class Player {
  readonly #make: () => Sound;
  readonly #listeners = new Set<() => void>();
  #sound: Sound | undefined;
  #track: Track | undefined;
  #now: Playing = idle;
  #speed: number = speeds[0];
  /** Where it is to begin once its length is known. */
  #startAt = 0;

  constructor(make: () => Sound) {
    this.#make = make;
  }

  /** Hears of every change until the returned function is called. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  /** What is playing; the same object until something changes. */
  readonly snapshot = (): Playing => this.#now;

  /** How fast it plays. */
  readonly speed = (): number => this.#speed;

  /** Plays a track, from where it is when it is the one that was paused; or pauses it. */
  toggle(track: Track): void {
    if (this.#now.id !== track.id || this.#now.failed) this.#start(track, 0);
    else if (this.#now.playing) this.#sound?.pause();
    else void this.#play();
  }

  /** Goes to a moment of a track, and plays on when it plays. */
  seek(track: Track, ms: number): void {
    if (this.#now.id !== track.id) {
      this.#start(track, ms);
      return;
    }
    if (this.#sound) this.#sound.currentTime = ms / 1000;
    this.#set({ at: ms });
  }

  /** The next speed, which holds for all that follows. */
  faster(): void {
    this.#speed = speeds[(speeds.findIndex((speed) => speed === this.#speed) + 1) % speeds.length] ?? 1;
    if (this.#sound) this.#sound.playbackRate = this.#speed;
    this.#now = { ...this.#now };
    this.#tell();
  }

  /** Ends what plays, when it is this one or when none is named. */
  stop(id?: string): void {
    if (id !== undefined && this.#now.id !== id) return;
    this.#sound?.pause();
    this.#track = undefined;
    this.#now = idle;
    this.#tell();
  }

  #start(track: Track, at: number): void {
    const sound = (this.#sound ??= this.#listen(this.#make()));
    this.#track = track;
    this.#startAt = at;
    this.#now = { id: track.id, playing: true, at, duration: track.duration, failed: false };
    sound.src = track.src;
    sound.load();
    sound.playbackRate = this.#speed;
    this.#tell();
    void this.#play();
  }

  async #play(): Promise<void> {
    const { id } = this.#now;
    try {
      await this.#sound?.play();
    } catch (error) {
      // Another track, or a pause, came before it began: nothing failed.
      if (this.#now.id === id && !(error instanceof DOMException && error.name === "AbortError")) this.#set({ playing: false });
    }
  }

  #listen(sound: Sound): Sound {
    sound.addEventListener("timeupdate", () => {
      if (this.#now.playing) this.#set({ at: sound.currentTime * 1000 });
    });
    sound.addEventListener("loadedmetadata", () => {
      sound.playbackRate = this.#speed;
      if (this.#startAt > 0) sound.currentTime = this.#startAt / 1000;
      this.#startAt = 0;
      // A recording that does not say how long it is plays for as long as its message says.
      if (Number.isFinite(sound.duration)) this.#set({ duration: sound.duration * 1000 });
    });
    sound.addEventListener("play", () => this.#set({ playing: true }));
    sound.addEventListener("pause", () => this.#set({ playing: false }));
    sound.addEventListener("error", () => this.#set({ playing: false, failed: true }));
    sound.addEventListener("ended", () => {
      const next = this.#track?.next?.();
      if (next) this.#start(next, 0);
      else this.#set({ playing: false, at: 0 });
    });
    return sound;
  }

  #set(change: Partial<Playing>): void {
    if (this.#now === idle) return;
    this.#now = { ...this.#now, ...change };
    this.#tell();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
