// One party, or the screen that somebody shows.
import type * as livekit from "livekit-client";
import { useEffect, useRef, useState, type CSSProperties } from "react";
import { useStrings } from "../../i18n/strings.ts";
import { useNames } from "../../people/names.tsx";
import { Avatar } from "../../ui/Avatar.tsx";
import { IconButton } from "../../ui/Button.tsx";
import { Icon } from "../../ui/Icon.tsx";
import { placeOf, type MenuPlace } from "../../ui/Menu.tsx";
import type { CallSession } from "../session.ts";
import { PartyMenu } from "./PartyMenu.tsx";
import type { Quality, Shown } from "./parties.ts";
import { strings } from "./strings.ts";

/** A track's picture. */
export function Video({ track, mirrored = false, whole = false }: { track: livekit.Track; mirrored?: boolean; whole?: boolean }) {
  const ref = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    const element = ref.current;
    if (!element) return;
    track.attach(element);
    return () => {
      track.detach(element);
    };
  }, [track]);
  return <video ref={ref} className="tile-video" data-mirrored={mirrored} data-whole={whole} muted autoPlay playsInline aria-hidden="true" />;
}

const bars: Readonly<Record<Quality, number>> = { good: 3, fair: 2, poor: 1, lost: 0, unknown: -1 };

/** How good a connection is, as three bars; nothing while that is not known. */
export function QualityBars({ quality }: { quality: Quality }) {
  const t = useStrings(strings);
  const lit = bars[quality];
  if (lit < 0) return null;
  return (
    <span className="quality" data-quality={quality} role="img" aria-label={t.quality(t[quality])} title={t.quality(t[quality])}>
      {[1, 2, 3].map((bar) => (
        <span key={bar} data-lit={bar <= lit} />
      ))}
    </span>
  );
}

interface TileProps {
  readonly session: CallSession;
  readonly tile: Shown;
  readonly pinned: boolean;
  readonly onPin: (key: string | undefined) => void;
  readonly style?: CSSProperties;
  /** A small tile shows the least. */
  readonly small?: boolean;
  /** One that is less high than a face and a name below one another. */
  readonly low?: boolean;
  /** What a press on it does: it becomes large. */
  readonly onPress?: () => void;
}

/** The tile. */
export function Tile({ session, tile, pinned, onPin, style, small = false, low = false, onPress }: TileProps) {
  const t = useStrings(strings);
  const nameOf = useNames();
  const [menu, setMenu] = useState<MenuPlace>();
  const { party, kind } = tile;
  const name = nameOf(party.user);
  const label = kind === "screen" ? (party.local ? t.yourScreen : t.screenOf(name)) : party.local ? t.you : name;
  const track = kind === "screen" ? party.screen : party.camera;
  return (
    <figure
      className="party"
      data-tile={tile.key}
      data-kind={kind}
      data-local={party.local}
      data-speaking={kind === "camera" && party.speaking}
      data-small={small}
      data-pinned={pinned}
      style={style}
      aria-label={label}
      // Not what is pressed in its menu, which lies elsewhere on the page.
      onDoubleClick={(event) => {
        if (event.currentTarget.contains(event.target as Node)) onPin(pinned ? undefined : tile.key);
      }}
    >
      {track ? (
        <Video track={track} mirrored={kind === "camera" && party.local && session.mirrored} whole={kind === "screen"} />
      ) : (
        <span className="tile-face" data-low={low}>
          <Avatar id={party.user} name={name} size={small ? "m" : low ? "l" : "xl"} />
        </span>
      )}
      {party.paused && kind === "camera" ? <span className="tile-note">{t.paused}</span> : null}
      {party.unreadable ? (
        <span className="tile-note">
          <Icon name="lock" size={16} /> {t.unreadable}
        </span>
      ) : null}
      <figcaption className="tile-name">
        {kind === "screen" ? <Icon name="screen" size={16} /> : null}
        {kind === "camera" && !party.microphone && !party.viewer ? (
          <span role="img" aria-label={t.microphoneOff} className="tile-muted">
            <Icon name="microphoneOff" size={16} />
          </span>
        ) : null}
        {kind === "camera" && party.speaking ? <span className="visually-hidden">{t.speaks}</span> : null}
        <span className="tile-label">{label}</span>
        {party.viewer && !small ? <span className="tile-role">{t.viewer}</span> : null}
        {kind === "camera" ? <QualityBars quality={party.quality} /> : null}
      </figcaption>
      {onPress ? <button type="button" className="tile-press" aria-label={t.show(label)} onClick={onPress} /> : null}
      {small ? null : (
        <span className="tile-actions">
          {pinned ? <IconButton icon="pin" size={18} label={t.unpin} aria-pressed onClick={() => onPin(undefined)} /> : null}
          <IconButton
            icon="more"
            size={18}
            label={t.actions(label)}
            aria-haspopup="menu"
            aria-expanded={menu !== undefined}
            onClick={(event) => setMenu(placeOf(event.currentTarget))}
          />
        </span>
      )}
      {menu ? <PartyMenu session={session} party={party} place={menu} pinned={pinned} onPin={() => onPin(pinned ? undefined : tile.key)} onClose={() => setMenu(undefined)} /> : null}
    </figure>
  );
}
