// A film in the gallery, by the browser's own player. It reads what it plays,
// and from where one goes to.
import { useRef, useState, type TouchEvent } from "react";
import { useStrings } from "../../i18n/strings.ts";
import { useFileUrl, useSourceOf } from "../useSource.ts";
import type { GalleryItem } from "./items.ts";
import { strings } from "./strings.ts";
import { swipe } from "./zoom.ts";

interface FilmProps {
  readonly item: GalleryItem;
  readonly label: string;
  readonly onSwipe: (what: "next" | "previous" | "close") => void;
}

/** The player's own bar at the bottom of a film is this high: a finger there moves its slider. */
const barPx = 80;

/** Draws it. */
export function Film({ item, label, onSwipe }: FilmProps) {
  const s = useStrings(strings);
  const { owner, file, index } = item;
  const source = useSourceOf(owner, file.file, index);
  const poster = useFileUrl(owner, file.poster, { size: "l" });
  const fresh = useFileUrl(owner, file.file);
  const video = useRef<HTMLVideoElement>(null);
  const [renewed, setRenewed] = useState<string>();
  const [failed, setFailed] = useState(false);
  const src = renewed ?? source.src;
  const onError = () => {
    const element = video.current;
    // The key in the address has ended while it was watched: it goes on where it was.
    if (renewed === undefined && fresh !== undefined && fresh !== src && element && element.currentTime > 0) {
      const at = element.currentTime;
      element.addEventListener("loadedmetadata", () => (element.currentTime = at), { once: true });
      setRenewed(fresh);
    } else setFailed(true);
  };
  const from = useRef<{ readonly x: number; readonly y: number; readonly at: number }>(undefined);
  const onTouchStart = (event: TouchEvent) => {
    const touch = event.touches[0];
    const bar = (video.current?.getBoundingClientRect().bottom ?? Infinity) - barPx;
    from.current = touch && event.touches.length === 1 && touch.clientY < bar ? { x: touch.clientX, y: touch.clientY, at: event.timeStamp } : undefined;
  };
  const onTouchEnd = (event: TouchEvent) => {
    const touch = event.changedTouches[0];
    const begun = from.current;
    from.current = undefined;
    if (!touch || !begun) return;
    const what = swipe(touch.clientX - begun.x, touch.clientY - begun.y, event.timeStamp - begun.at, { width: window.innerWidth, height: window.innerHeight });
    if (what) onSwipe(what);
  };
  return (
    <div className="film" onTouchStart={onTouchStart} onTouchEnd={onTouchEnd}>
      {src === undefined || failed ? null : (
        <video ref={video} src={src} poster={poster} controls playsInline preload="metadata" aria-label={label} {...(file.width > 0 ? { width: file.width, height: file.height } : {})} onError={onError} onKeyDown={(event) => event.stopPropagation()} />
      )}
      {failed || source.state === "gone" ? (
        <p className="gallery-note" role="alert">
          {s.cannotPlay}
        </p>
      ) : null}
    </div>
  );
}
