// A long press of a finger, which opens what the right button opens. Android
// has an event for it, iOS has none.
import { useEffect, useRef, type TouchEvent } from "react";

const holdMs = 420;
const slackPx = 10;

/** Handlers for an element; `onPress` gets the point in the window. */
export function useLongPress(onPress: (x: number, y: number) => void) {
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const from = useRef<{ x: number; y: number }>(undefined);
  const pressed = useRef(false);
  const stop = () => clearTimeout(timer.current);
  useEffect(() => stop, []);
  return {
    onTouchStart: (event: TouchEvent) => {
      const touch = event.touches[0];
      if (!touch || event.touches.length > 1) return stop();
      const point = { x: touch.clientX, y: touch.clientY };
      from.current = point;
      stop();
      pressed.current = false;
      timer.current = setTimeout(() => {
        pressed.current = true;
        onPress(point.x, point.y);
      }, holdMs);
    },
    onTouchMove: (event: TouchEvent) => {
      const touch = event.touches[0];
      const start = from.current;
      if (!touch || !start) return;
      if (Math.hypot(touch.clientX - start.x, touch.clientY - start.y) > slackPx) stop();
    },
    onTouchEnd: (event: TouchEvent) => {
      stop();
      // The finger that is lifted presses nothing of what has opened below it.
      if (pressed.current) event.preventDefault();
    },
    onTouchCancel: stop,
  };
}
