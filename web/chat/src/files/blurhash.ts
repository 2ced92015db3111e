// Blur hashes: some 30 characters that say roughly how a picture looks, as the
// coefficients of a cosine transform in base 83. Only reading is needed here;
// the server writes them.

const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~";

function number(hash: string, from: number, to: number): number {
  let value = 0;
  for (let i = from; i < to; i++) {
    const digit = digits.indexOf(hash.charAt(i));
    if (digit < 0) return NaN;
    value = value * 83 + digit;
  }
  return value;
}

/** A byte of sRGB as linear light, 0 to 1. */
function linear(byte: number): number {
  const v = byte / 255;
  return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
}

/** Linear light as a byte of sRGB. */
function byte(light: number): number {
  const v = Math.max(0, Math.min(1, light));
  return Math.round((v <= 0.0031308 ? v * 12.92 : 1.055 * v ** (1 / 2.4) - 0.055) * 255);
}

/** The square with the sign of the number: how coefficients are packed. */
function square(value: number): number {
  return Math.sign(value) * value * value;
}

/** The colour of each of the hash's waves, the mean first; undefined when it is no blur hash. */
function waves(hash: string): { readonly across: number; readonly down: number; readonly colours: readonly (readonly [number, number, number])[] } | undefined {
  if (hash.length < 6) return undefined;
  const size = number(hash, 0, 1);
  const across = (size % 9) + 1;
  const down = Math.floor(size / 9) + 1;
  if (!(size < 81) || hash.length !== 4 + 2 * across * down || Number.isNaN(number(hash, 1, 6))) return undefined;
  const most = (number(hash, 1, 2) + 1) / 166;
  const mean = number(hash, 2, 6);
  const colours: (readonly [number, number, number])[] = [[linear(mean >> 16), linear((mean >> 8) & 255), linear(mean & 255)]];
  for (let i = 1; i < across * down; i++) {
    const value = number(hash, 4 + i * 2, 6 + i * 2);
    const of = (digit: number) => square((digit - 9) / 9) * most;
    colours.push([of(Math.floor(value / 361)), of(Math.floor(value / 19) % 19), of(value % 19)]);
  }
  return colours.flat().some(Number.isNaN) ? undefined : { across, down, colours };
}

/** Draws a hash as RGBA, row by row. Undefined when it is no blur hash: there is nothing to draw then. */
export function decodeBlurHash(hash: string, width: number, height: number): Uint8ClampedArray<ArrayBuffer> | undefined {
  const found = waves(hash);
  if (!found) return undefined;
  const { across, down, colours } = found;
  const pixels = new Uint8ClampedArray(width * height * 4);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let red = 0;
      let green = 0;
      let blue = 0;
      for (let j = 0; j < down; j++) {
        const vertical = Math.cos((Math.PI * y * j) / height);
        for (let i = 0; i < across; i++) {
          const wave = Math.cos((Math.PI * x * i) / width) * vertical;
          const [r, g, b] = colours[j * across + i] ?? [0, 0, 0];
          red += r * wave;
          green += g * wave;
          blue += b * wave;
        }
      }
      pixels.set([byte(red), byte(green), byte(blue), 255], (y * width + x) * 4);
    }
  }
  return pixels;
}

/** The hash that an attachment's `thumb` holds; undefined when it holds something else. */
export function hashOf(thumb: Uint8Array | undefined): string | undefined {
  if (!thumb || thumb.length < 6 || thumb.length > 166) return undefined;
  let hash = "";
  for (const code of thumb) hash += String.fromCharCode(code);
  return waves(hash) ? hash : undefined;
}
