// Plays several files as one: each begins at its own place on one time line,
// and is held to it. Who is behind, because a file had to be loaded, is waited for.

/** What is needed of a media element. */
export interface Playable {
  currentTime: number;
  playbackRate: number;
  readonly paused: boolean;
  readonly ended: boolean;
  readonly readyState: number;
  readonly error: unknown;
  play(): Promise<void>;
  pause(): void;
}

interface Part {
  readonly element: Playable;
  /** Where it begins and how long it is, seconds. */
  readonly offset: number;
  readonly duration: number;
}

/** Seconds that a file may be off before it jumps, and before it is played a little faster or slower. */
const jump = 0.3;
const slack = 0.03;
/** How much faster or slower, at most. */
const correction = 0.1;
/** HTMLMediaElement.HAVE_FUTURE_DATA */
const ready = 3;

/** One time line. Its owner calls `tick` several times a second while it plays. */
export class Together {
  readonly #parts = new Set<Part>();
  readonly #now: () => number;
  readonly #changed: () => void;
  /** Seconds. */
  readonly duration: number;
  #base = 0;
  #since = 0;
  #rate = 1;
  #playing = false;
  #waiting = false;

  constructor(duration: number, changed: () => void, now: () => number = () => performance.now()) {
    this.duration = duration;
    this.#changed = changed;
    this.#now = now;
  }

  get playing(): boolean {
    return this.#playing;
  }
  /** It is to play, and something is not loaded yet. */
  get waiting(): boolean {
    return this.#waiting;
  }
  get rate(): number {
    return this.#rate;
  }
  /** Seconds from the beginning. */
  get position(): number {
    const gone = this.#playing && !this.#waiting ? ((this.#now() - this.#since) / 1000) * this.#rate : 0;
    return Math.min(this.#base + gone, this.duration);
  }

  /** Adds a file; the returned function takes it away. */
  add(element: Playable, offset: number, duration: number): () => void {
    const part = { element, offset, duration };
    this.#parts.add(part);
    this.tick();
    return () => {
      this.#parts.delete(part);
      element.pause();
    };
  }

  play(): void {
    if (this.position >= this.duration) this.#base = 0;
    else this.#base = this.position;
    this.#since = this.#now();
    this.#playing = true;
    this.tick();
    this.#changed();
  }

  pause(): void {
    this.#base = this.position;
    this.#playing = false;
    this.#waiting = false;
    for (const { element } of this.#parts) element.pause();
    this.#changed();
  }

  seek(to: number): void {
    this.#base = Math.min(Math.max(to, 0), this.duration);
    this.#since = this.#now();
    for (const { element, offset, duration } of this.#parts) {
      const at = this.#base - offset;
      if (element.error === null) element.currentTime = Math.min(Math.max(at, 0), duration);
    }
    this.tick();
    this.#changed();
  }

  setRate(rate: number): void {
    this.#base = this.position;
    this.#since = this.#now();
    this.#rate = rate;
    this.tick();
    this.#changed();
  }

  /** Holds every file to the time line. */
  tick(): void {
    const position = this.position;
    if (this.#playing && position >= this.duration) {
      this.pause();
      return;
    }
    const wait = this.#playing && [...this.#parts].some((part) => this.#due(part, position) && part.element.readyState < ready && !part.element.ended);
    if (wait !== this.#waiting) {
      this.#base = position;
      this.#since = this.#now();
      this.#waiting = wait;
      this.#changed();
    }
    for (const part of this.#parts) this.#hold(part, position);
  }

  #due({ offset, duration, element }: Part, position: number): boolean {
    return element.error === null && position >= offset && position < offset + duration - 0.1;
  }

  #hold(part: Part, position: number): void {
    const { element, offset } = part;
    if (!this.#due(part, position)) {
      if (!element.paused) element.pause();
      return;
    }
    const off = element.currentTime - (position - offset);
    if (Math.abs(off) > jump) element.currentTime = position - offset;
    const slower = Math.abs(off) > slack && Math.abs(off) <= jump ? Math.min(Math.max(off * 0.5, -correction), correction) : 0;
    element.playbackRate = this.#rate * (1 - slower);
    if (!this.#playing || this.#waiting) {
      if (!element.paused) element.pause();
    } else if (element.paused) {
      element.play().catch(() => undefined); // the next tick tries again
    }
  }
}
