// How loud a recording is from its beginning to its end.

/** As many values as a voice message carries. */
export const waveformLength = 64;

/**
 * Brings measured levels, 0 to 1 each, down to some bytes of 0 to 255: the loudest of each stretch, against the loudest
 * of all, so that somebody who speaks softly is seen to speak.
 */
export function toWaveform(levels: readonly number[], length = waveformLength): Uint8Array {
  const out = new Uint8Array(length);
  const most = Math.max(0.04, ...levels);
  for (let i = 0; i < length && levels.length > 0; i++) {
    const from = Math.floor((i * levels.length) / length);
    const to = Math.max(from + 1, Math.floor(((i + 1) * levels.length) / length));
    out[i] = Math.round((Math.max(...levels.slice(from, to)) / most) * 255);
  }
  return out;
}

/** The bars to draw, 0 to 1 each; a recording of which nothing is known has low ones. */
export function bars(waveform: Uint8Array | undefined, count: number): readonly number[] {
  if (!waveform || waveform.length === 0) return Array.from({ length: count }, () => 0.12);
  return Array.from({ length: count }, (_, i) => {
    const from = Math.floor((i * waveform.length) / count);
    const to = Math.max(from + 1, Math.floor(((i + 1) * waveform.length) / count));
    return Math.max(0.08, Math.max(...waveform.slice(from, to)) / 255);
  });
}

/** The level of some samples of -1 to 1, louder than they are as ears hear it. */
export function levelOf(samples: Float32Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return Math.min(1, Math.sqrt(sum / Math.max(1, samples.length)) * 3);
}
