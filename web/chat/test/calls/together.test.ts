import { describe, expect, test } from "vitest";
import { Together, type Playable } from "../../src/calls/recordings/together.ts";

/** A file whose time goes on with a clock of the test's. */
class File implements Playable {
  paused = true;
  ended = false;
  readyState = 4;
  error: unknown = null;
  #rate = 1;
  #at = 0;
  #since = 0;
  readonly #clock: { now: number };
  constructor(clock: { now: number }) {
    this.#clock = clock;
  }
  get playbackRate(): number {
    return this.#rate;
  }
  set playbackRate(to: number) {
    this.currentTime = this.currentTime;
    this.#rate = to;
  }
  get currentTime(): number {
    return this.#at + (this.paused ? 0 : ((this.#clock.now - this.#since) / 1000) * this.#rate);
  }
  set currentTime(to: number) {
    this.#at = to;
    this.#since = this.#clock.now;
  }
  play(): Promise<void> {
    this.#since = this.#clock.now;
    this.paused = false;
    return Promise.resolve();
  }
  pause(): void {
    this.#at = this.currentTime;
    this.paused = true;
  }
}

function line(duration: number) {
  const clock = { now: 1000 };
  const together = new Together(duration, () => undefined, () => clock.now);
  const run = (seconds: number): void => {
    for (let i = 0; i < seconds * 10; i++) {
      clock.now += 100;
      together.tick();
    }
  };
  return { clock, together, run };
}

describe("files on one time line", () => {
  test("each begins at its own place, and ends there", () => {
    const { clock, together, run } = line(10);
    const [first, second] = [new File(clock), new File(clock)];
    together.add(first, 0, 4);
    together.add(second, 3, 7);
    together.play();
    run(2);
    expect([first.paused, second.paused]).toEqual([false, true]);
    expect(first.currentTime).toBeCloseTo(2, 1);
    run(3);
    expect([first.paused, second.paused]).toEqual([true, false]);
    expect(second.currentTime).toBeCloseTo(2, 1);
    run(6);
    expect([together.playing, together.position, second.paused]).toEqual([false, 10, true]);
    together.play();
    expect(together.position).toBe(0);
  });

  test("one that is not loaded is waited for by all", () => {
    const { clock, together, run } = line(10);
    const [first, second] = [new File(clock), new File(clock)];
    together.add(first, 0, 10);
    together.add(second, 0, 10);
    together.play();
    run(1);
    second.readyState = 2;
    run(3);
    expect([together.waiting, first.paused]).toEqual([true, true]);
    expect(together.position).toBeCloseTo(1.1, 1);
    second.readyState = 4;
    run(1);
    expect([together.waiting, first.paused, second.paused]).toEqual([false, false, false]);
    expect(first.currentTime).toBeCloseTo(second.currentTime, 1);
    // One that is broken is not.
    second.readyState = 0;
    second.error = new Error("broken");
    run(1);
    expect(together.waiting).toBe(false);
  });

  test("what drifts is brought back, a little by its speed and much by a jump", () => {
    const { clock, together, run } = line(100);
    const file = new File(clock);
    together.add(file, 1, 99);
    together.play();
    run(2);
    file.currentTime += 0.2;
    run(0.1);
    expect(file.playbackRate).toBeLessThan(1);
    run(5);
    expect(Math.abs(file.currentTime - (together.position - 1))).toBeLessThan(0.05);
    file.currentTime += 5;
    run(0.2);
    expect(Math.abs(file.currentTime - (together.position - 1))).toBeLessThan(0.2);
  });

  test("it jumps, and plays at another speed", () => {
    const { clock, together, run } = line(20);
    const file = new File(clock);
    together.add(file, 5, 15);
    together.seek(10);
    expect(file.currentTime).toBe(5);
    expect(file.paused).toBe(true);
    together.setRate(2);
    together.play();
    run(2);
    expect(together.position).toBeCloseTo(14, 1);
    expect(file.currentTime).toBeCloseTo(9, 0);
    together.seek(2);
    run(0.1);
    expect(file.paused).toBe(true);
    together.pause();
    expect(together.position).toBeCloseTo(2.2, 1);
  });
});
