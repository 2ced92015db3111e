// One picture of the gallery: zoomed by the wheel, by two fingers, by a double
// press; moved by dragging; swiped away while it fits.
import { useEffect, useImperativeHandle, useLayoutEffect, useRef, useState, type PointerEvent, type Ref } from "react";
import { useStrings } from "../../i18n/strings.ts";
import { Spinner } from "../../ui/Button.tsx";
import { Blur } from "../Blur.tsx";
import { useSourceOf } from "../useSource.ts";
import type { GalleryItem } from "./items.ts";
import { strings } from "./strings.ts";
import { fits, fitted, moved, swipe, toggled, zoomAt, type Box, type View } from "./zoom.ts";

/** What the buttons and keys of the gallery ask for. */
export interface ZoomHandle {
  zoom(factor: number): void;
  reset(): void;
  /** Moves a zoomed picture; false when it fits, and there is nothing to move. */
  pan(x: number, y: number): boolean;
}

interface ZoomPictureProps {
  readonly ref: Ref<ZoomHandle>;
  readonly item: GalleryItem;
  readonly alt: string;
  readonly onSwipe: (what: "next" | "previous" | "close") => void;
  readonly onScale: (scale: number) => void;
}

const doubleMs = 300;
const doubleDistance = 24;

/** Draws it. */
export function ZoomPicture({ ref, item, alt, onSwipe, onScale }: ZoomPictureProps) {
  const s = useStrings(strings);
  const { file, owner, index } = item;
  const frame = useRef<HTMLDivElement>(null);
  const [room, setRoom] = useState<Box>({ width: window.innerWidth, height: window.innerHeight });
  const [view, setView] = useState<View>(fits);
  const [drag, setDrag] = useState({ x: 0, y: 0 });
  const [state, setState] = useState<"loading" | "shown" | "failed">("loading");
  // What is looked at closely is the picture itself.
  const large = Math.max(file.width, file.height) > 1280;
  const detailed = view.scale > 1.2 || file.animated || !large;
  const preview = useSourceOf(owner, file.file, index, file.animated ? undefined : "l");
  const whole = useSourceOf(owner, file.file, index);
  const shown = fitted({ width: file.width, height: file.height }, room);

  useLayoutEffect(() => {
    const element = frame.current;
    if (!element) return;
    const observer = new ResizeObserver(() => setRoom({ width: element.clientWidth, height: element.clientHeight }));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  useEffect(() => onScale(view.scale), [view.scale, onScale]);

  const fromMiddle = (x: number, y: number) => {
    const { left, top, width, height } = frame.current?.getBoundingClientRect() ?? { left: 0, top: 0, width: 0, height: 0 };
    return [x - left - width / 2, y - top - height / 2] as const;
  };
  useImperativeHandle(
    ref,
    () => ({
      zoom: (factor) => setView((now) => zoomAt(now, factor, 0, 0, shown, room)),
      reset: () => setView(fits),
      pan: (x, y) => {
        if (view.scale <= 1) return false;
        setView(moved(view, x, y, shown, room));
        return true;
      },
    }),
    [view, shown, room],
  );

  // React's own listener of the wheel can not keep the page from zooming.
  const wheel = useRef<(event: WheelEvent) => void>(undefined);
  wheel.current = (event) => {
    event.preventDefault();
    const [x, y] = fromMiddle(event.clientX, event.clientY);
    setView((now) => zoomAt(now, Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.0022)), x, y, shown, room));
  };
  useEffect(() => {
    const element = frame.current;
    const onWheel = (event: WheelEvent) => wheel.current?.(event);
    element?.addEventListener("wheel", onWheel, { passive: false });
    return () => element?.removeEventListener("wheel", onWheel);
  }, []);

  const pointers = useRef(new Map<number, { x: number; y: number }>());
  const gesture = useRef({ x: 0, y: 0, at: 0, far: false, fingers: 0 });
  const tap = useRef({ x: 0, y: 0, at: -1000 });
  const onDown = (event: PointerEvent) => {
    if (event.pointerType === "mouse" && event.button !== 0) return;
    frame.current?.setPointerCapture(event.pointerId);
    pointers.current.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (pointers.current.size === 1) gesture.current = { x: event.clientX, y: event.clientY, at: event.timeStamp, far: false, fingers: 1 };
    else gesture.current.fingers = pointers.current.size;
  };
  const onMove = (event: PointerEvent) => {
    const before = pointers.current.get(event.pointerId);
    if (!before) return;
    const now = { x: event.clientX, y: event.clientY };
    const other = [...pointers.current].find(([id]) => id !== event.pointerId)?.[1];
    pointers.current.set(event.pointerId, now);
    if (Math.hypot(now.x - gesture.current.x, now.y - gesture.current.y) > 8) gesture.current.far = true;
    if (other) {
      const apart = (at: { x: number; y: number }) => Math.max(1, Math.hypot(at.x - other.x, at.y - other.y));
      const [x, y] = fromMiddle((now.x + other.x) / 2, (now.y + other.y) / 2);
      setView((v) => zoomAt(v, apart(now) / apart(before), x, y, shown, room));
      setDrag({ x: 0, y: 0 });
    } else if (view.scale > 1) setView(moved(view, now.x - before.x, now.y - before.y, shown, room));
    else if (event.pointerType !== "mouse" && gesture.current.fingers === 1) setDrag({ x: now.x - gesture.current.x, y: Math.max(0, now.y - gesture.current.y) });
  };
  const onUp = (event: PointerEvent) => {
    if (!pointers.current.delete(event.pointerId) || pointers.current.size > 0) return;
    const { x, y, at, far, fingers } = gesture.current;
    setDrag({ x: 0, y: 0 });
    if (event.type === "pointercancel" || fingers > 1) return;
    if (!far) {
      const double = event.timeStamp - tap.current.at < doubleMs && Math.hypot(event.clientX - tap.current.x, event.clientY - tap.current.y) < doubleDistance;
      tap.current = double ? { x: 0, y: 0, at: -1000 } : { x: event.clientX, y: event.clientY, at: event.timeStamp };
      if (double) setView(toggled(view, ...fromMiddle(event.clientX, event.clientY), shown, room));
      return;
    }
    if (view.scale > 1 || event.pointerType === "mouse") return;
    const what = swipe(event.clientX - x, event.clientY - y, event.timeStamp - at, room);
    if (what) onSwipe(what);
  };

  const failed = state === "failed" || whole.state === "gone";
  const moving = drag.x !== 0 || drag.y !== 0 || pointers.current.size > 0;
  return (
    <div ref={frame} className="zoom" data-zoomed={view.scale > 1} onPointerDown={onDown} onPointerMove={onMove} onPointerUp={onUp} onPointerCancel={onUp}>
      <div
        className="zoom-picture"
        data-moving={moving}
        style={{ width: shown.width, height: shown.height, transform: `translate(${view.x + drag.x}px, ${view.y + drag.y}px) scale(${view.scale})` }}
      >
        {state === "shown" ? null : <Blur thumb={file.thumb} />}
        {preview.src === undefined ? null : (
          <img
            src={preview.src}
            alt={alt}
            draggable={false}
            decoding="async"
            onLoad={() => setState("shown")}
            onError={() => {
              if (preview.state === "gone") setState("failed");
              preview.onError();
            }}
          />
        )}
        {detailed && large && whole.src !== undefined && whole.src !== preview.src && state === "shown" ? <img src={whole.src} alt="" draggable={false} decoding="async" onError={whole.onError} /> : null}
      </div>
      {failed || preview.state === "gone" ? (
        <p className="gallery-note" role="alert">
          {s.cannotShow}
        </p>
      ) : state === "loading" ? (
        <p className="gallery-note gallery-loading">
          <Spinner /> <span className="visually-hidden">{s.loading}</span>
        </p>
      ) : null}
    </div>
  );
}
