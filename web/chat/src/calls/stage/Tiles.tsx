// How the tiles lie: all the same size, or one large with the others in a
// strip; on a phone with one other party, the other fills the screen.
import { useEffect, useRef, useState } from "react";
import { useStrings } from "../../i18n/strings.ts";
import { useNames } from "../../people/names.tsx";
import { useClient } from "../../live/context.tsx";
import { Avatar } from "../../ui/Avatar.tsx";
import { IconButton, Spinner } from "../../ui/Button.tsx";
import type { CallSession } from "../session.ts";
import { capacity, gap, pack, pages, type Size } from "./grid.ts";
import { absentOf, largest, type Shown } from "./parties.ts";
import type { Layout } from "./Stage.tsx";
import { strings } from "./strings.ts";
import { Tile } from "./Tile.tsx";

interface TilesProps {
  readonly session: CallSession;
  readonly tiles: readonly Shown[];
  readonly layout: Layout;
  readonly pinned: string | undefined;
  readonly onPin: (key: string | undefined) => void;
}

/** Below this width and a height above it, a stage is a phone's. */
const phone = 560;

/** The tiles. */
export function Tiles({ session, tiles, layout, pinned, onPin }: TilesProps) {
  const ref = useRef<HTMLDivElement>(null);
  const [size, setSize] = useState<Size>({ width: 0, height: 0 });
  useEffect(() => {
    const element = ref.current;
    if (!element) return;
    const observer = new ResizeObserver(([entry]) => {
      if (entry) setSize({ width: Math.floor(entry.contentRect.width), height: Math.floor(entry.contentRect.height) });
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  const screen = tiles.some(({ kind, local }) => kind === "screen" && !local);
  const one = pinned !== undefined || screen || layout === "speaker" ? largest(tiles, pinned, session.speaker) : undefined;
  const props = { session, tiles, pinned, onPin, size };
  const duo = size.width > 0 && size.width < phone && size.height > size.width && tiles.length === 2 && tiles.some(({ local }) => local) && pinned === undefined;
  return (
    <div ref={ref} className="stage-main">
      {size.width === 0 ? null : tiles.length < 2 ? <Alone {...props} /> : duo ? <Duo {...props} /> : one ? <Large {...props} one={one} /> : <Grid {...props} />}
    </div>
  );
}

type Inside = Omit<TilesProps, "layout"> & { readonly size: Size };

function Grid({ session, tiles, pinned, onPin, size }: Inside) {
  const t = useStrings(strings);
  const [page, setPage] = useState(0);
  // Room for the buttons that turn the pages, where there are some.
  const room = tiles.length <= capacity(size) ? capacity(size) : capacity({ ...size, height: size.height - 48 });
  const all = pages(tiles, room);
  const at = Math.min(page, all.length - 1);
  const shown = all[at] ?? [];
  const area = all.length > 1 ? { ...size, height: size.height - 48 } : size;
  // All pages have tiles of one size.
  const { columns, width, height } = pack(all.length > 1 ? room : shown.length, area);
  return (
    <div className="tiles-grid">
      <div className="tiles" style={{ width: columns * (width + gap) - gap, gap }}>
        {shown.map((tile) => (
          <Tile key={tile.key} session={session} tile={tile} pinned={tile.key === pinned} onPin={onPin} style={{ width, height }} small={width < 200} low={height < 190} />
        ))}
      </div>
      {all.length > 1 ? (
        <nav className="tiles-pages" aria-label={t.page(at + 1, all.length)}>
          <IconButton icon="back" label={t.previous} disabled={at === 0} onClick={() => setPage(at - 1)} />
          <span aria-hidden="true">{`${at + 1} / ${all.length}`}</span>
          <IconButton icon="back" className="flipped" label={t.next} disabled={at === all.length - 1} onClick={() => setPage(at + 1)} />
        </nav>
      ) : null}
    </div>
  );
}

function Large({ session, tiles, pinned, onPin, size, one }: Inside & { readonly one: Shown }) {
  // Beside a screen is who shows it.
  const rest = tiles.filter(({ key }) => key !== one.key).sort((a, b) => rank(a, one) - rank(b, one));
  const beside = size.width > size.height * 1.2 && size.height < 420;
  return (
    <div className="tiles-large" data-beside={beside}>
      <Tile key={one.key} session={session} tile={one} pinned={one.key === pinned} onPin={onPin} />
      <div className="tiles-strip scroll">
        {rest.map((tile) => (
          <Tile key={tile.key} session={session} tile={tile} pinned={false} onPin={onPin} small onPress={() => onPin(tile.key)} />
        ))}
      </div>
    </div>
  );
}

const rank = (tile: Shown, one: Shown): number => (tile.party.identity === one.party.identity ? 0 : tile.local ? 1 : 2);

function Duo({ session, tiles, onPin }: Inside) {
  const [swapped, setSwapped] = useState(false);
  const [other, own] = tiles[0]?.local ? [tiles[1], tiles[0]] : [tiles[0], tiles[1]];
  if (!other || !own) return null;
  const [large, small] = swapped ? [own, other] : [other, own];
  return (
    <div className="tiles-duo">
      <Tile key={large.key} session={session} tile={large} pinned={false} onPin={onPin} />
      <Tile key={small.key} session={session} tile={small} pinned={false} onPin={onPin} small onPress={() => setSwapped(!swapped)} />
    </div>
  );
}

/** Nobody else is there: whom one waits for, and oneself. */
function Alone({ session, tiles, onPin }: Inside) {
  const t = useStrings(strings);
  const nameOf = useNames();
  const client = useClient();
  const peer = client.conversation.get(session.call.conversation).peer;
  const own = tiles[0];
  const ringing = session.call.parties.filter(({ state }) => state === "ringing").map(({ user }) => user);
  const absent = absentOf(session, own ? [own.party] : []);
  const faces = ringing.length > 0 ? ringing.slice(0, 5) : absent.length > 0 ? absent.slice(0, 5) : peer === undefined ? [] : [peer];
  return (
    <div className="tiles-alone">
      {own?.party.camera ? <Tile session={session} tile={own} pinned={false} onPin={onPin} /> : null}
      <div className="tiles-waiting" data-over={own?.party.camera !== undefined}>
        <span className="tiles-faces" data-ringing={ringing.length > 0}>
          {faces.map((user) => (
            <Avatar key={user} id={user} name={nameOf(user)} size={faces.length === 1 ? "xl" : "l"} />
          ))}
        </span>
        {session.state === "connecting" ? (
          <p>
            <Spinner /> {t.connecting}
          </p>
        ) : ringing.length > 0 ? (
          <p>{t.ringing(ringing.slice(0, 3).map(nameOf).join(", "))}</p>
        ) : absent.length > 0 ? (
          <p>
            <Spinner /> {t.waiting(absent.slice(0, 3).map(nameOf).join(", "))}
          </p>
        ) : (
          <>
            <p>{t.alone}</p>
            {peer === undefined ? <p className="tiles-hint">{t.aloneText}</p> : null}
          </>
        )}
      </div>
    </div>
  );
}
