// A film in the gallery, by the browser's own player. It reads what it plays,
// and from where one goes to.
import { useRef, useState } from "react";
import { useStrings } from "../../i18n/strings.ts";
import { useFileUrl, useSourceOf } from "../useSource.ts";
import type { GalleryItem } from "./items.ts";
import { strings } from "./strings.ts";

/** Draws it. */
export function Film({ item, label }: { item: GalleryItem; label: string }) {
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
  return (
    <div className="film">
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
