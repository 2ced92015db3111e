// Browsers write a recording while it goes on, so its head does not say how
// long it is, and a player can not seek in it. This writes the length in.

const segmentId = 0x18538067;
const infoId = 0x1549a966;
const scaleId = 0x2ad7b1;
const durationId = 0x4489;

interface Element {
  readonly id: number;
  /** Where its size stands, and how many bytes that takes. */
  readonly sizeAt: number;
  readonly sizeLength: number;
  /** Undefined: as far as the file goes. */
  readonly size: number | undefined;
  readonly body: number;
}

/** The element that begins at an offset; undefined when there is none whole. */
function elementAt(bytes: Uint8Array, at: number): Element | undefined {
  const lengthOf = (byte: number | undefined) => (byte ? Math.clz32(byte) - 23 : 9);
  const idLength = lengthOf(bytes[at]);
  const sizeAt = at + idLength;
  const sizeLength = lengthOf(bytes[sizeAt]);
  const body = sizeAt + sizeLength;
  if (idLength > 4 || sizeLength > 8 || body > bytes.length) return undefined;
  let id = 0;
  for (let i = at; i < sizeAt; i++) id = id * 256 + (bytes[i] ?? 0);
  let size = (bytes[sizeAt] ?? 0) & ((1 << (8 - sizeLength)) - 1);
  let unknown = size === (1 << (8 - sizeLength)) - 1;
  for (let i = sizeAt + 1; i < body; i++) {
    unknown &&= bytes[i] === 255;
    size = size * 256 + (bytes[i] ?? 0);
  }
  return { id, sizeAt, sizeLength, size: unknown ? undefined : size, body };
}

/** The element with an id among those from one offset to another. */
function find(bytes: Uint8Array, id: number, from: number, to: number): Element | undefined {
  for (let at = from; at < to; ) {
    const element = elementAt(bytes, at);
    if (!element || element.id === id) return element;
    if (element.size === undefined) return undefined;
    at = element.body + element.size;
  }
  return undefined;
}

function numberOf(bytes: Uint8Array, element: Element | undefined, otherwise: number): number {
  if (!element?.size || element.size > 6) return otherwise;
  let value = 0;
  for (let i = 0; i < element.size; i++) value = value * 256 + (bytes[element.body + i] ?? 0);
  return value;
}

/** A size in as many bytes as it had before, or in eight. */
function sizeBytes(size: number, length: number): Uint8Array {
  const fit = size < 2 ** (7 * length) - 1 ? length : 8;
  const out = new Uint8Array(fit);
  for (let i = fit - 1, rest = size; i >= 0; i--, rest = Math.floor(rest / 256)) out[i] = rest % 256;
  out[0] = (out[0] ?? 0) | (1 << (8 - fit));
  return out;
}

/** The recording with its length in its head; the same bytes when it is no WebM that lacks one. */
export function withDuration(bytes: Uint8Array<ArrayBuffer>, ms: number): Uint8Array<ArrayBuffer> {
  const segment = find(bytes, segmentId, 0, bytes.length);
  // A segment of a known size would have to be written anew; a recorder never writes one.
  if (!segment || segment.size !== undefined) return bytes;
  const info = find(bytes, infoId, segment.body, bytes.length);
  if (!info?.size || info.body + info.size > bytes.length) return bytes;
  const end = info.body + info.size;
  if (find(bytes, durationId, info.body, end)?.id === durationId) return bytes;
  const scale = numberOf(bytes, find(bytes, scaleId, info.body, end), 1_000_000);
  const duration = new Uint8Array(11);
  duration.set([0x44, 0x89, 0x88]);
  new DataView(duration.buffer).setFloat64(3, (ms * 1_000_000) / scale);
  const size = sizeBytes(info.size + duration.length, info.sizeLength);
  const out = new Uint8Array(bytes.length + duration.length + size.length - info.sizeLength);
  out.set(bytes.subarray(0, info.sizeAt));
  out.set(size, info.sizeAt);
  out.set(bytes.subarray(info.body, end), info.sizeAt + size.length);
  out.set(duration, info.sizeAt + size.length + info.size);
  out.set(bytes.subarray(end), info.sizeAt + size.length + info.size + duration.length);
  return out;
}
