import { expect, test } from "vitest";
import { layoutAlbum, singleAspect } from "../../src/files/album.ts";

const wide = { width: 1600, height: 900 };
const tall = { width: 900, height: 1600 };
const flat = { width: 8000, height: 100 };

test("every number of pictures fills its album: no gap, none above another", () => {
  for (let n = 1; n <= 20; n++) {
    const sizes = Array.from({ length: n }, (_, i) => [wide, tall, flat, { width: 0, height: 0 }][i % 4]!);
    const { aspect, tiles } = layoutAlbum(sizes);
    expect(tiles).toHaveLength(n);
    expect(aspect).toBeGreaterThan(0);
    expect(tiles.reduce((sum, tile) => sum + tile.width * tile.height, 0)).toBeCloseTo(1, 6);
    for (const tile of tiles) {
      expect(tile.left).toBeGreaterThanOrEqual(0);
      expect(tile.left + tile.width).toBeLessThanOrEqual(1 + 1e-9);
      expect(tile.top + tile.height).toBeLessThanOrEqual(1 + 1e-9);
      // No stripe: in the album's own shape a tile is neither flat nor thin.
      const shape = (tile.width / tile.height) * aspect;
      expect(shape).toBeGreaterThan(0.69);
      expect(shape).toBeLessThan(1.91);
    }
  }
});

test("two wide pictures stand one above the other or side by side, never three in a row of two", () => {
  const { tiles } = layoutAlbum([wide, wide]);
  expect(tiles[0]?.left).toBe(0);
  expect(tiles).toHaveLength(2);
});

test("a single picture keeps its shape within reason", () => {
  expect(singleAspect(1600, 900)).toBeCloseTo(16 / 9);
  expect(singleAspect(8000, 100)).toBe(2.6);
  expect(singleAspect(100, 8000)).toBe(0.56);
  expect(singleAspect(0, 0)).toBeCloseTo(4 / 3);
});
