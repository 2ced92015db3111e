// The frames that crossed this connection lately, for the developer panel.
import type { Client, FrameEvent } from "@skein/client";

/** A frame with a number, so that a list of them has keys. */
export interface LoggedFrame extends FrameEvent {
  readonly id: number;
}

/** How many frames are kept. */
export const keptFrames = 400;

/** Keeps the newest frames of a client; paused, it lets new ones pass. */
export class FrameLog {
  #frames: readonly LoggedFrame[] = [];
  #waiting: LoggedFrame[] = [];
  #next = 1;
  #paused = false;
  #scheduled = false;
  readonly #listeners = new Set<() => void>();
  readonly #schedule: (fn: () => void) => void;

  /** `schedule` runs a function a moment later: many frames are told as one change. */
  constructor(client: Pick<Client, "on">, schedule: (fn: () => void) => void) {
    this.#schedule = schedule;
    client.on("frame", (frame) => this.#take(frame));
  }

  /** The frames, oldest first; the same array until something changes. */
  readonly get = (): readonly LoggedFrame[] => this.#frames;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  set paused(paused: boolean) {
    this.#paused = paused;
  }

  get paused(): boolean {
    return this.#paused;
  }

  clear(): void {
    this.#waiting = [];
    this.#frames = [];
    this.#tell();
  }

  #take(frame: FrameEvent): void {
    if (this.#paused) return;
    this.#waiting.push({ ...frame, id: this.#next++ });
    if (this.#waiting.length > keptFrames) this.#waiting.shift();
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#schedule(() => {
      this.#scheduled = false;
      this.#frames = [...this.#frames, ...this.#waiting].slice(-keptFrames);
      this.#waiting = [];
      this.#tell();
    });
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}

/** The frames whose name or content holds every word of `filter`. */
export function filterFrames(frames: readonly LoggedFrame[], filter: string): readonly LoggedFrame[] {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return frames;
  return frames.filter((frame) => {
    const text = `${frame.direction} ${frame.name} ${JSON.stringify(frame.frame)}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
}
