// The sounds of calls, made by the browser itself: there is no file to load
// when it rings, and none to be kept from loading.

/** A note: hertz, from when to when within its pattern, in seconds. */
type Note = readonly [hertz: number, from: number, to: number];

interface Pattern {
  readonly notes: readonly Note[];
  /** After so many seconds it begins again; 0: it is played once. */
  readonly every: number;
  readonly loud: number;
}

const patterns = {
  /** Somebody calls: two rising thirds, soft and repeated. */
  ring: {
    notes: [
      [659, 0, 0.22],
      [784, 0.18, 0.4],
      [988, 0.36, 0.75],
      [659, 0.9, 1.12],
      [784, 1.08, 1.3],
      [988, 1.26, 1.65],
    ],
    every: 3.2,
    loud: 0.22,
  },
  /** It rings at the other side: one second of the tone that telephones make. */
  ringback: { notes: [[425, 0, 1]], every: 4, loud: 0.07 },
  busy: {
    notes: [
      [425, 0, 0.35],
      [425, 0.7, 1.05],
      [425, 1.4, 1.75],
    ],
    every: 0,
    loud: 0.07,
  },
  /** Another call, while one is in one. */
  knock: {
    notes: [
      [988, 0, 0.12],
      [988, 0.25, 0.37],
    ],
    every: 5,
    loud: 0.08,
  },
  over: {
    notes: [
      [587, 0, 0.14],
      [440, 0.14, 0.36],
    ],
    every: 0,
    loud: 0.1,
  },
  test: {
    notes: [
      [523, 0, 0.3],
      [659, 0.25, 0.55],
      [784, 0.5, 1],
    ],
    every: 0,
    loud: 0.2,
  },
} as const satisfies Record<string, Pattern>;

/** The sounds there are. */
export type Tone = keyof typeof patterns;

interface Speaking extends AudioContext {
  setSinkId?: (id: string) => Promise<void>;
}

/** Plays a sound through a speaker, "" for the browser's own, until the returned function is called. A browser that lets no sound out before anything was pressed plays it from then on. */
export function play(tone: Tone, speaker = ""): () => void {
  const { notes, every, loud }: Pattern = patterns[tone];
  let context: Speaking;
  try {
    context = new AudioContext();
  } catch {
    return () => undefined; // no sound device at all
  }
  if (speaker) context.setSinkId?.(speaker).catch(() => undefined);
  const wake = () => void context.resume().catch(() => undefined);
  document.addEventListener("pointerdown", wake, true);
  document.addEventListener("keydown", wake, true);
  const once = () => {
    if (context.state !== "running") return wake();
    for (const [hertz, from, to] of notes) sound(context, hertz, context.currentTime + from, context.currentTime + to, loud);
  };
  // The first one as soon as sound is let out, the others in their rhythm.
  context.onstatechange = () => {
    if (context.state !== "running") return;
    context.onstatechange = null;
    once();
  };
  if (context.state === "running") {
    context.onstatechange = null;
    once();
  } else wake();
  const timer = every > 0 ? setInterval(once, every * 1000) : undefined;
  const end = setTimeout(() => every === 0 && stop(), 3000);
  let stopped = false;
  const stop = () => {
    if (stopped) return;
    stopped = true;
    clearInterval(timer);
    clearTimeout(end);
    context.onstatechange = null;
    document.removeEventListener("pointerdown", wake, true);
    document.removeEventListener("keydown", wake, true);
    void context.close().catch(() => undefined);
  };
  return stop;
}

/** One note that comes and goes softly. */
function sound(context: AudioContext, hertz: number, from: number, to: number, loud: number): void {
  const oscillator = context.createOscillator();
  const gain = context.createGain();
  oscillator.type = "sine";
  oscillator.frequency.value = hertz;
  gain.gain.setValueAtTime(0, from);
  gain.gain.linearRampToValueAtTime(loud, from + 0.02);
  gain.gain.setValueAtTime(loud, Math.max(from + 0.02, to - 0.08));
  gain.gain.linearRampToValueAtTime(0, to);
  oscillator.connect(gain).connect(context.destination);
  oscillator.start(from);
  oscillator.stop(to);
}
