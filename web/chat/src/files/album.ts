// How several pictures stand together: rows that all have the album's width,
// each picture cut as little as possible.

/** Where a picture stands, in fractions of the album's width and height. */
export interface Tile {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** An album. */
export interface Layout {
  /** Width by height. */
  readonly aspect: number;
  readonly tiles: readonly Tile[];
}

/** A single picture is never shown flatter or taller than this. */
const flattest = 2.6;
const tallest = 0.56;

/** The shape in which a single picture is shown: its own, within reason. */
export function singleAspect(width: number, height: number): number {
  if (!(width > 0) || !(height > 0)) return 4 / 3;
  return Math.max(tallest, Math.min(flattest, width / height));
}

/** Whether a row of these pictures looks right: how far its height is from what is wished, in doublings. */
function cost(aspects: readonly number[], wished: number): number {
  const height = 1 / aspects.reduce((sum, aspect) => sum + aspect, 0);
  return Math.abs(Math.log2(height / wished)) + (aspects.length > 3 ? 1 : 0);
}

/** All ways to cut n pictures into rows of 1 to 4 are too many for 20; each row's best end is found from the back. */
function rows(aspects: readonly number[], wished: number): readonly (readonly number[])[] {
  const best: { cost: number; length: number }[] = [];
  best[aspects.length] = { cost: 0, length: 0 };
  for (let from = aspects.length - 1; from >= 0; from--) {
    let found = { cost: Infinity, length: 1 };
    for (let length = 1; length <= 4 && from + length <= aspects.length; length++) {
      const total = cost(aspects.slice(from, from + length), wished) + (best[from + length]?.cost ?? 0);
      if (total < found.cost) found = { cost: total, length };
    }
    best[from] = found;
  }
  const out: number[][] = [];
  for (let from = 0; from < aspects.length; ) {
    const length = best[from]?.length ?? 1;
    out.push(aspects.slice(from, from + length));
    from += length;
  }
  return out;
}

/**
 * Lays an album out. Extreme shapes are taken as less extreme ones, so that no picture becomes a stripe: tiles are
 * filled, and what stands over is cut off.
 */
export function layoutAlbum(sizes: readonly { readonly width: number; readonly height: number }[]): Layout {
  const aspects = sizes.map(({ width, height }) => Math.max(0.7, Math.min(1.9, width > 0 && height > 0 ? width / height : 1)));
  const cut = rows(aspects, sizes.length <= 2 ? 0.55 : 0.42);
  const heights = cut.map((row) => 1 / row.reduce((sum, aspect) => sum + aspect, 0));
  const total = heights.reduce((sum, height) => sum + height, 0);
  const tiles: Tile[] = [];
  let top = 0;
  cut.forEach((row, i) => {
    const height = heights[i] ?? 0;
    let left = 0;
    for (const aspect of row) {
      tiles.push({ left, top: top / total, width: aspect * height, height: height / total });
      left += aspect * height;
    }
    top += height;
  });
  return { aspect: total > 0 ? 1 / total : 1, tiles };
}

const widest = 380;
const highest = 420;
const narrowest = 150;

/** The size of an album in CSS pixels where there is room for it. */
export function albumSize(files: readonly { readonly width: number; readonly height: number }[]): { readonly width: number; readonly height: number; readonly tiles: readonly Tile[] } {
  const [only] = files;
  const layout = only && files.length === 1 ? { aspect: singleAspect(only.width, only.height), tiles: [{ left: 0, top: 0, width: 1, height: 1 }] } : layoutAlbum(files);
  // A small picture is not blown up far, but stays large enough to press.
  const own = only && files.length === 1 && only.width > 0 ? Math.max(narrowest, Math.min(widest, only.width)) : widest;
  const width = Math.round(Math.min(own, Math.max(narrowest, highest * layout.aspect)));
  return { width, height: Math.round(width / layout.aspect), tiles: layout.tiles };
}
