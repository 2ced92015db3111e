// A QR code (ISO/IEC 18004) of a link: byte mode, error correction level M,
// versions 1 to 10, which is up to 213 bytes. Drawn here, so that no invitation
// is shown to anybody's server.

/** Of each version: error correction bytes a block, then how many blocks have how many data bytes. */
const blocksOf: readonly (readonly [ecc: number, ...groups: (readonly [blocks: number, data: number])[]])[] = [
  [10, [1, 16]],
  [16, [1, 28]],
  [26, [1, 44]],
  [18, [2, 32]],
  [24, [2, 43]],
  [16, [4, 27]],
  [18, [4, 31]],
  [22, [2, 38], [2, 39]],
  [22, [3, 36], [2, 37]],
  [26, [4, 43], [1, 44]],
];

/** Where the centres of the alignment patterns are, on both axes. */
const alignmentOf: readonly (readonly number[])[] = [[], [6, 18], [6, 22], [6, 26], [6, 30], [6, 34], [6, 22, 38], [6, 24, 42], [6, 26, 46], [6, 28, 50]];

const masks: readonly ((row: number, column: number) => boolean)[] = [
  (r, c) => (r + c) % 2 === 0,
  (r) => r % 2 === 0,
  (_, c) => c % 3 === 0,
  (r, c) => (r + c) % 3 === 0,
  (r, c) => (Math.floor(r / 2) + Math.floor(c / 3)) % 2 === 0,
  (r, c) => ((r * c) % 2) + ((r * c) % 3) === 0,
  (r, c) => (((r * c) % 2) + ((r * c) % 3)) % 2 === 0,
  (r, c) => (((r + c) % 2) + ((r * c) % 3)) % 2 === 0,
];

/** Which modules of a code are dark, row by row, without the quiet zone around it. */
export type Modules = readonly (readonly boolean[])[];

/** The code of a text; undefined when it is too long for version 10. `mask` is chosen by the rules when it is not given. */
export function qrCode(text: string, mask?: number): Modules | undefined {
  const bytes = new TextEncoder().encode(text);
  const version = blocksOf.findIndex(([, ...groups], i) => {
    const room = groups.reduce((sum, [blocks, data]) => sum + blocks * data, 0);
    return 4 + (i < 9 ? 8 : 16) + bytes.length * 8 <= room * 8;
  }) + 1;
  if (version === 0) return undefined;
  const code = codewords(bytes, version);
  const candidates = (mask === undefined ? [...masks.keys()] : [mask]).map((m) => draw(code, version, m));
  return candidates.reduce((best, next) => (penalty(next) < penalty(best) ? next : best));
}

/** Data and error correction in the order in which they are drawn. */
function codewords(bytes: Uint8Array, version: number): Uint8Array {
  const [ecc, ...groups] = blocksOf[version - 1] as (typeof blocksOf)[number];
  const room = groups.reduce((sum, [blocks, data]) => sum + blocks * data, 0);
  const bits: number[] = [];
  const put = (value: number, length: number): void => {
    for (let i = length - 1; i >= 0; i--) bits.push((value >> i) & 1);
  };
  put(4, 4);
  put(bytes.length, version < 10 ? 8 : 16);
  for (const byte of bytes) put(byte, 8);
  put(0, Math.min(4, room * 8 - bits.length));
  while (bits.length % 8 !== 0) bits.push(0);
  const data = Array.from({ length: bits.length / 8 }, (_, i) => bits.slice(i * 8, i * 8 + 8).reduce((sum, bit) => sum * 2 + bit, 0));
  for (let pad = 0xec; data.length < room; pad ^= 0xec ^ 0x11) data.push(pad);

  const blocks: { data: number[]; ecc: number[] }[] = [];
  for (const [count, length] of groups) {
    for (let i = 0; i < count; i++) {
      const part = data.splice(0, length);
      blocks.push({ data: part, ecc: remainder(part, ecc) });
    }
  }
  const out: number[] = [];
  const longest = Math.max(...blocks.map((b) => b.data.length));
  for (let i = 0; i < longest; i++) for (const b of blocks) if (i < b.data.length) out.push(b.data[i] as number);
  for (let i = 0; i < ecc; i++) for (const b of blocks) out.push(b.ecc[i] as number);
  return Uint8Array.from(out);
}

/** Multiplies in GF(256) over x⁸ + x⁴ + x³ + x² + 1. */
function times(a: number, b: number): number {
  let product = 0;
  for (let i = 7; i >= 0; i--) {
    product = (product << 1) ^ ((product >> 7) * 0x11d);
    product ^= ((b >> i) & 1) * a;
  }
  return product;
}

/** The Reed-Solomon remainder of a block. */
function remainder(data: readonly number[], degree: number): number[] {
  const generator: number[] = [...Array<number>(degree - 1).fill(0), 1];
  for (let i = 0, root = 1; i < degree; i++, root = times(root, 2)) {
    for (let k = 0; k < degree; k++) generator[k] = times(generator[k] as number, root) ^ (k + 1 < degree ? (generator[k + 1] as number) : 0);
  }
  const rest = Array<number>(degree).fill(0);
  for (const byte of data) {
    const factor = byte ^ (rest.shift() as number);
    rest.push(0);
    for (let k = 0; k < degree; k++) rest[k] = (rest[k] as number) ^ times(generator[k] as number, factor);
  }
  return rest;
}

/** A value with its BCH code behind it. */
function coded(value: number, polynomial: number, length: number): number {
  let rest = value;
  for (let i = 0; i < length; i++) rest = (rest << 1) ^ ((rest >> (length - 1)) & 1 ? polynomial : 0);
  return (value << length) | (rest & ((1 << length) - 1));
}

function draw(code: Uint8Array, version: number, mask: number): boolean[][] {
  const size = 17 + 4 * version;
  const dark: boolean[][] = Array.from({ length: size }, () => Array<boolean>(size).fill(false));
  const taken: boolean[][] = Array.from({ length: size }, () => Array<boolean>(size).fill(false));
  const set = (row: number, column: number, on: boolean): void => {
    const line = dark[row];
    const used = taken[row];
    if (!line || !used || column < 0 || column >= size) return;
    line[column] = on;
    used[column] = true;
  };

  for (let i = 0; i < size; i++) {
    set(6, i, i % 2 === 0);
    set(i, 6, i % 2 === 0);
  }
  const ring = (row: number, column: number, radius: number, light: (distance: number) => boolean): void => {
    for (let y = -radius; y <= radius; y++) for (let x = -radius; x <= radius; x++) set(row + y, column + x, !light(Math.max(Math.abs(x), Math.abs(y))));
  };
  for (const [row, column] of [[3, 3], [3, size - 4], [size - 4, 3]] as const) ring(row, column, 4, (d) => d === 2 || d === 4);
  const centres = alignmentOf[version - 1] ?? [];
  const last = centres.length - 1;
  centres.forEach((row, i) =>
    centres.forEach((column, k) => {
      const corner = (i === 0 && k === 0) || (i === 0 && k === last) || (i === last && k === 0);
      if (!corner) ring(row, column, 2, (d) => d === 1);
    }),
  );

  const format = coded(mask, 0x537, 10) ^ 0x5412; // level M is 00
  for (let i = 0; i < 15; i++) {
    const on = ((format >> i) & 1) === 1;
    set(i < 6 ? i : i < 8 ? i + 1 : size - 15 + i, 8, on);
    set(8, i < 8 ? size - 1 - i : i === 8 ? 7 : 14 - i, on);
  }
  set(size - 8, 8, true);
  if (version >= 7) {
    const bits = coded(version, 0x1f25, 12);
    for (let i = 0; i < 18; i++) {
      const on = ((bits >> i) & 1) === 1;
      const far = size - 11 + (i % 3);
      set(Math.floor(i / 3), far, on);
      set(far, Math.floor(i / 3), on);
    }
  }

  const masked = masks[mask] as (typeof masks)[number];
  let at = 0;
  for (let right = size - 1; right >= 1; right -= 2) {
    if (right === 6) right = 5;
    for (let step = 0; step < size; step++) {
      const upwards = ((right + 1) & 2) === 0;
      const row = upwards ? size - 1 - step : step;
      for (const column of [right, right - 1]) {
        if (taken[row]?.[column]) continue;
        const bit = at < code.length * 8 && (((code[at >> 3] as number) >> (7 - (at & 7))) & 1) === 1;
        at++;
        (dark[row] as boolean[])[column] = bit !== masked(row, column);
      }
    }
  }
  return dark;
}

/** How hard a code is to read, by the four rules. */
function penalty(dark: Modules): number {
  const size = dark.length;
  const at = (r: number, c: number): boolean => dark[r]?.[c] ?? false;
  let points = 0;
  let black = 0;
  for (const turned of [false, true]) {
    const line = (i: number, k: number): boolean => (turned ? at(k, i) : at(i, k));
    for (let i = 0; i < size; i++) {
      let run = 0;
      let pattern = 0;
      for (let k = 0; k < size; k++) {
        run = k > 0 && line(i, k) === line(i, k - 1) ? run + 1 : 1;
        if (run === 5) points += 3;
        else if (run > 5) points += 1;
        pattern = ((pattern << 1) | Number(line(i, k))) & 0x7ff;
        if (k >= 10 && (pattern === 0x05d || pattern === 0x5d0)) points += 40;
      }
    }
  }
  for (let r = 0; r < size; r++) {
    for (let c = 0; c < size; c++) {
      if (at(r, c)) black++;
      if (r > 0 && c > 0 && at(r, c) === at(r - 1, c) && at(r, c) === at(r, c - 1) && at(r, c) === at(r - 1, c - 1)) points += 3;
    }
  }
  return points + 10 * Math.floor(Math.abs((black * 20) / (size * size) - 10));
}

/** The code as the path of an SVG, one unit a module, with the quiet zone of four around it; `size` is its width. */
export function qrPath(modules: Modules): { readonly path: string; readonly size: number } {
  const path = modules.flatMap((row, y) => row.flatMap((on, x) => (on ? [`M${x + 4} ${y + 4}h1v1h-1z`] : []))).join("");
  return { path, size: modules.length + 8 };
}
