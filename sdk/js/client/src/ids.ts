// Client ids: UUIDv7 (RFC 9562 §5.7), 16 bytes on the wire and 36 characters everywhere else.
import type { Random } from "./types/environment.js";

/** The text of a UUID; empty for bytes that are none. */
export function uuidText(bytes: Uint8Array): string {
  if (bytes.length !== 16) return "";
  let hex = "";
  for (const byte of bytes) hex += byte.toString(16).padStart(2, "0");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

export function uuidBytes(text: string): Uint8Array {
  const hex = text.replaceAll("-", "");
  return Uint8Array.from({ length: hex.length >> 1 }, (_, i) => Number.parseInt(hex.slice(i * 2, i * 2 + 2), 16));
}

/** The milliseconds since 1970 UTC in a UUIDv7. */
export function uuidTime(text: string): number {
  return Number.parseInt(text.slice(0, 8) + text.slice(9, 13), 16);
}

/** How far the clock may step back before ids follow it: a corrected clock, not one that trembles. */
const stepBackMs = 10_000;

/** Makes UUIDv7s that ascend, also within a millisecond, as long as the clock does. */
export class IdMaker {
  readonly #random: Random;
  #last = 0;
  #counter = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  /** `ms`: the server's time as far as it is known, milliseconds since 1970 UTC. */
  next(ms: number): string {
    const bytes = this.#random(16);
    const now = Math.floor(ms);
    if (now > this.#last || now < this.#last - stepBackMs) {
      this.#last = now;
      // Room to count up: the 12 bits after the time start in their lower half.
      this.#counter = (((bytes[6] ?? 0) & 0x07) << 8) | (bytes[7] ?? 0);
    } else if (++this.#counter > 0xfff) {
      this.#last++;
      this.#counter = 0;
    }
    let time = this.#last;
    for (let i = 5; i >= 0; i--, time = Math.floor(time / 256)) bytes[i] = time % 256;
    bytes[6] = 0x70 | (this.#counter >> 8);
    bytes[7] = this.#counter & 0xff;
    bytes[8] = 0x80 | ((bytes[8] ?? 0) & 0x3f);
    return uuidText(bytes);
  }
}
