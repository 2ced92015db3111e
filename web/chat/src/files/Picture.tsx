// A picture in the box around it, from its blur hash to its pixels. Its size
// is known before it is there, so nothing moves when it comes.
import { useState, type ReactNode } from "react";
import { useStrings } from "../i18n/strings.ts";
import { Icon } from "../ui/Icon.tsx";
import { Blur } from "./Blur.tsx";
import { previewFor } from "./kinds.ts";
import type { Attachment } from "./sdk.ts";
import { strings } from "./strings.ts";
import { useSource } from "./useSource.ts";

interface PictureProps {
  readonly file: Attachment;
  /** Its place in the message. */
  readonly index: number;
  /** CSS pixels of the longer side as it is drawn. */
  readonly longer: number;
  /** What it shows, for who does not see it. Empty where something around it says so. */
  readonly alt?: string;
  /** A film is shown by its poster. */
  readonly poster?: boolean;
}

/** One moving picture may be this large to move by itself in a conversation. */
const mostMoving = 12_000_000;

function stillPreferred(): boolean {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}

/** Draws it. */
export function Picture({ file, index, longer, alt = "", poster = false }: PictureProps) {
  const moves = file.animated && file.size <= mostMoving && !stillPreferred();
  const size = moves ? undefined : previewFor(longer, window.devicePixelRatio || 1);
  const source = useSource(poster ? file.poster : file.file, index, size, poster);
  const [loaded, setLoaded] = useState<string>();
  return (
    <span className="picture" data-state={source.state} data-loaded={loaded !== undefined}>
      <Blur thumb={file.thumb} />
      {poster && source.src === undefined && file.poster === "" ? <Frame file={file} index={index} /> : null}
      {source.src === undefined ? null : (
        <img
          src={source.src}
          alt={alt}
          loading="lazy"
          decoding="async"
          draggable={false}
          referrerPolicy="no-referrer"
          onLoad={() => setLoaded(source.src)}
          onError={source.onError}
        />
      )}
      {file.animated && !moves ? <PictureMark>GIF</PictureMark> : null}
      {source.state === "fine" || poster ? null : <Missing offline={source.state === "offline"} />}
    </span>
  );
}

/** A film without a poster shows what it begins with. */
function Frame({ file, index }: { file: Attachment; index: number }) {
  const { src } = useSource(file.file, index);
  return src === undefined ? null : <video src={`${src}#t=0.3`} muted playsInline preload="metadata" tabIndex={-1} aria-hidden="true" />;
}

function PictureMark({ children }: { children: ReactNode }) {
  return <span className="picture-mark" aria-hidden="true">{children}</span>;
}

/** What is said of a picture that can not be had. */
function Missing({ offline }: { offline: boolean }) {
  const s = useStrings(strings);
  return (
    <span className="picture-missing" title={offline ? undefined : s.goneHint}>
      <Icon name={offline ? "clock" : "alert"} size={20} />
      <span>{offline ? s.offlinePicture : s.gone}</span>
    </span>
  );
}
