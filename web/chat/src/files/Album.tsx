// Pictures and films of a message as one block. Each is a button that shows it
// large.
import type { ReactNode } from "react";
import { useStrings } from "../i18n/strings.ts";
import { Icon } from "../ui/Icon.tsx";
import { albumSize } from "./album.ts";
import { useFileOwner } from "./FileOwner.ts";
import { useFiles } from "./FilesContext.tsx";
import { kindOf } from "./kinds.ts";
import { Picture } from "./Picture.tsx";
import type { Attachment } from "./sdk.ts";
import { playTime } from "./sizes.ts";
import { strings } from "./strings.ts";

/** A picture or film with its place among the message's attachments. */
export interface Placed {
  readonly file: Attachment;
  readonly index: number;
}

interface AlbumProps {
  readonly items: readonly Placed[];
  readonly caption: string;
  /** What lies over one of them: how far it has been sent. */
  readonly over?: ((index: number) => ReactNode) | undefined;
}

/** Draws it. */
export function Album({ items, caption, over }: AlbumProps) {
  const { width, height, tiles } = albumSize(items.map(({ file }) => file));
  return (
    <div className="album" style={{ width, aspectRatio: `${width} / ${height}` }} data-count={items.length}>
      {items.map((item, i) => {
        const tile = tiles[i] ?? { left: 0, top: 0, width: 1, height: 1 };
        return (
          <div key={item.index} className="album-tile" style={{ left: `${tile.left * 100}%`, top: `${tile.top * 100}%`, width: `${tile.width * 100}%`, height: `${tile.height * 100}%` }}>
            <TileButton item={item} caption={caption} place={items.length === 1 ? undefined : [i + 1, items.length]} longer={longerSide(item.file, tile.width * width, tile.height * height)} />
            {over?.(item.index)}
          </div>
        );
      })}
    </div>
  );
}

/** The longer side of a picture that fills a box, in CSS pixels. */
function longerSide({ width, height }: Attachment, boxWidth: number, boxHeight: number): number {
  const scale = Math.max(boxWidth / width, boxHeight / height);
  return Math.max(width, height) * scale;
}

function TileButton({ item, caption, place, longer }: { item: Placed; caption: string; place: readonly [number, number] | undefined; longer: number }) {
  const s = useStrings(strings);
  const owner = useFileOwner();
  const { openGallery } = useFiles();
  const { file, index } = item;
  const film = kindOf(file) === "film";
  const what = film ? s.filmNamed(file.name, file.duration > 0 ? playTime(file.duration) : "") : s.photoNamed(file.name);
  return (
    <button type="button" className="tile" onClick={() => openGallery({ owner, file, index, caption })}>
      <span className="visually-hidden">{place ? s.ofAlbum(what, ...place) : what}</span>
      <Picture file={file} index={index} longer={longer} poster={film} />
      {film ? (
        <>
          <span className="tile-play">
            <Icon name="play" size={26} />
          </span>
          <span className="tile-length" aria-hidden="true">{file.duration > 0 ? playTime(file.duration) : s.film}</span>
        </>
      ) : null}
    </button>
  );
}
