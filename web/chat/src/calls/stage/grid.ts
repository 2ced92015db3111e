// How tiles share a rectangle: as large as they can be, none smaller than one
// can recognise somebody in, the rest on further pages.

/** A rectangle's sides in pixels. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** How tiles are laid: rows of `columns`, each tile of this size. */
export interface Packing extends Size {
  readonly columns: number;
  readonly rows: number;
}

/** Between two tiles, in pixels. */
export const gap = 8;
/** The most tiles of a page. */
export const most = 25;
/** A tile is between this narrow and this wide: width by height. */
const [narrow, wide] = [4 / 5, 16 / 9];
const smallest: Size = { width: 132, height: 96 };

/** What of a camera's picture, which is wider than high, a tile shows without its sides. */
const shown = ({ width, height }: Size): number => width * height * Math.min(1, width / height / (4 / 3));

/** The packing whose tiles show the most. */
export function pack(count: number, { width, height }: Size): Packing {
  let best: Packing = { columns: 1, rows: Math.max(1, count), width: 0, height: 0 };
  for (let columns = 1; columns <= Math.max(1, count); columns++) {
    const rows = Math.ceil(Math.max(1, count) / columns);
    const cell = { width: (width - gap * (columns - 1)) / columns, height: (height - gap * (rows - 1)) / rows };
    const w = Math.max(0, Math.min(cell.width, cell.height * wide));
    const h = Math.max(0, Math.min(cell.height, w / narrow));
    if (best.width === 0 || shown({ width: w, height: h }) > shown(best)) best = { columns, rows, width: Math.floor(w), height: Math.floor(h) };
  }
  return best;
}

/** How many tiles a page has room for, at least one. */
export function capacity(size: Size): number {
  for (let count = most; count > 1; count--) {
    const { width, height } = pack(count, size);
    if (width >= smallest.width && height >= smallest.height) return count;
  }
  return 1;
}

/**
 * The tiles of each page. Oneself comes last on the first page: who has to look whether their own picture is right does
 * not have to turn pages for it.
 */
export function pages<Tile extends { readonly local: boolean }>(tiles: readonly Tile[], room: number): readonly (readonly Tile[])[] {
  const others = tiles.filter(({ local }) => !local);
  const own = tiles.filter(({ local }) => local);
  const first = Math.max(0, room - own.length);
  const ordered = [...others.slice(0, first), ...own, ...others.slice(first)];
  const out: Tile[][] = [];
  for (let i = 0; i < ordered.length; i += room) out.push(ordered.slice(i, i + room));
  return out.length > 0 ? out : [[]];
}
