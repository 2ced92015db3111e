import { expect, test } from "vitest";
import { fits, fitted, held, moved, mostZoom, swipe, toggled, zoomAt } from "../../src/files/gallery/zoom.ts";

const window = { width: 1000, height: 600 };
const shown = { width: 800, height: 600 };

test("a picture fits, and a small one is not blown up", () => {
  expect(fitted({ width: 4000, height: 3000 }, window)).toEqual({ width: 800, height: 600 });
  expect(fitted({ width: 100, height: 50 }, window)).toEqual({ width: 100, height: 50 });
  expect(fitted({ width: 0, height: 0 }, window)).toEqual(window);
});

test("what is below the pointer stays there while one zooms", () => {
  const view = zoomAt(fits, 4, 120, -80, shown, window);
  expect(view.scale).toBe(4);
  // The point of the picture at (120, -80) before is drawn at the same place.
  expect(view.x + 120 * 4).toBeCloseTo(120);
  expect(view.y + -80 * 4).toBeCloseTo(-80);
});

test("zooming ends at its limits, and zooming out brings the picture back to the middle", () => {
  expect(zoomAt(fits, 1000, 0, 0, shown, window).scale).toBe(mostZoom);
  const far = moved(zoomAt(fits, 3, 300, 200, shown, window), -500, -500, shown, window);
  expect(zoomAt(far, 0.01, 0, 0, shown, window)).toEqual(fits);
});

test("a picture can not be moved out of sight", () => {
  expect(moved(fits, 500, 500, shown, window)).toEqual(fits);
  const view = moved({ scale: 2, x: 0, y: 0 }, 9999, -9999, shown, window);
  expect(view).toEqual({ scale: 2, x: 300, y: -300 });
  expect(held({ scale: 0.2, x: 5, y: 5 }, shown, window)).toEqual(fits);
});

test("a double press goes in and out", () => {
  const inside = toggled(fits, 100, 100, shown, window);
  expect(inside.scale).toBe(2.5);
  expect(toggled(inside, 0, 0, shown, window)).toEqual(fits);
});

test("swipes: far or fast, and mostly in one direction", () => {
  expect(swipe(-60, 10, 120, window)).toBe("next");
  expect(swipe(60, -10, 120, window)).toBe("previous");
  expect(swipe(-60, 10, 900, window)).toBeUndefined();
  expect(swipe(-300, 10, 900, window)).toBe("next");
  expect(swipe(5, 90, 150, window)).toBe("close");
  expect(swipe(5, -90, 150, window)).toBeUndefined();
  expect(swipe(50, 50, 100, window)).toBeUndefined();
});
