// Arrow keys in lists and menus: one member of the list is in the tab order,
// the arrows move to its neighbours.

/** Which way a list goes. */
export type Direction = "vertical" | "horizontal" | "grid";

/**
 * The index that a key leads to in a list of `count`, undefined when the key
 * does not move. In a grid the rows have `columns` members.
 */
export function rove(key: string, index: number, count: number, direction: Direction, columns = 1): number | undefined {
  if (count === 0) return undefined;
  const back = direction === "vertical" ? "ArrowUp" : "ArrowLeft";
  const forth = direction === "vertical" ? "ArrowDown" : "ArrowRight";
  if (key === "Home") return 0;
  if (key === "End") return count - 1;
  if (key === back) return Math.max(0, index - 1);
  if (key === forth) return Math.min(count - 1, index + 1);
  if (direction === "grid") {
    if (key === "ArrowUp") return index - columns >= 0 ? index - columns : index;
    if (key === "ArrowDown") return index + columns < count ? index + columns : index;
  }
  return undefined;
}

/** Moves the focus among the elements that a selector finds within a container. Says whether the key was used. */
export function roveFocus(
  container: HTMLElement,
  selector: string,
  key: string,
  direction: Direction,
  columns = 1,
): boolean {
  const items = [...container.querySelectorAll<HTMLElement>(selector)];
  const index = items.findIndex((item) => item === document.activeElement || item.contains(document.activeElement));
  const next = rove(key, index, items.length, direction, columns);
  if (next === undefined) return false;
  items[next]?.focus();
  return true;
}
