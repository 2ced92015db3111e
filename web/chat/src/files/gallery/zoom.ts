// Where a picture lies in a window while one zooms and moves it. Pure: the
// gallery carries it to the screen.

/** How a picture lies: by how much it is larger than as it fits, and how far its middle is from the window's, in pixels. */
export interface View {
  readonly scale: number;
  readonly x: number;
  readonly y: number;
}

/** Two lengths. */
export interface Box {
  readonly width: number;
  readonly height: number;
}

/** The picture fits. */
export const fits: View = { scale: 1, x: 0, y: 0 };

/** As far as one can go in. */
export const mostZoom = 8;

/** The size at which a picture fits a window: it is never blown up beyond its own pixels. */
export function fitted(picture: Box, window: Box): Box {
  if (picture.width <= 0 || picture.height <= 0) return window;
  const scale = Math.min(1, window.width / picture.width, window.height / picture.height);
  return { width: picture.width * scale, height: picture.height * scale };
}

/** Keeps a picture where it can be seen: no edge of it comes further in than the window's, and what fits is in the middle. */
export function held(view: View, shown: Box, window: Box): View {
  const scale = Math.max(1, Math.min(mostZoom, view.scale));
  const over = (length: number, room: number) => Math.max(0, (length * scale - room) / 2);
  const x = over(shown.width, window.width);
  const y = over(shown.height, window.height);
  // The sum makes a zero of what is less than none.
  return { scale, x: Math.max(-x, Math.min(x, view.x)) + 0, y: Math.max(-y, Math.min(y, view.y)) + 0 };
}

/** Zooms by a factor, so that the point of the picture below (x, y), measured from the window's middle, stays there. */
export function zoomAt(view: View, factor: number, x: number, y: number, shown: Box, window: Box): View {
  const scale = Math.max(1, Math.min(mostZoom, view.scale * factor));
  const by = scale / view.scale;
  return held({ scale, x: x - (x - view.x) * by, y: y - (y - view.y) * by }, shown, window);
}

/** Moves by some pixels. */
export function moved(view: View, x: number, y: number, shown: Box, window: Box): View {
  return held({ ...view, x: view.x + x, y: view.y + y }, shown, window);
}

/** What a double press does: in to where it was pressed, or back. */
export function toggled(view: View, x: number, y: number, shown: Box, window: Box): View {
  return view.scale > 1.01 ? fits : zoomAt(view, 2.5, x, y, shown, window);
}

/** What a swipe of these pixels means. */
export function swipe(x: number, y: number, ms: number, window: Box): "next" | "previous" | "close" | undefined {
  const fast = ms < 300;
  if (Math.abs(x) > Math.abs(y) * 1.4 && Math.abs(x) > (fast ? 40 : window.width / 4)) return x < 0 ? "next" : "previous";
  if (y > Math.abs(x) * 1.4 && y > (fast ? 60 : window.height / 4)) return "close";
  return undefined;
}
