// How good the connection of a call is: in plain words first, the figures
// below them, renewed every two seconds while they are looked at.
import { participantOf } from "@skein/client/calls";
import { useEffect, useState } from "react";
import { useStrings } from "../../i18n/strings.ts";
import { useNames } from "../../people/names.tsx";
import { Icon } from "../../ui/Icon.tsx";
import type { CallSession } from "../session.ts";
import { Panel } from "../stage/Panel.tsx";
import { Looker, verdictOf, type Figures, type TrackFigures } from "./stats.ts";
import { strings } from "./strings.ts";
import "./details.css";

const every = 2000;

function useFigures(session: CallSession): Figures | undefined {
  const [figures, setFigures] = useState<Figures>();
  useEffect(() => {
    const looker = new Looker();
    let gone = false;
    let looks = 0;
    const look = async () => {
      const { room } = session;
      if (!room) return;
      const found = await looker.look(room);
      looks += 1;
      // Rates are known from the second look on.
      if (!gone && looks > 1) setFigures(found);
    };
    const timer = setInterval(() => void look(), every);
    void look();
    const soon = setTimeout(() => void look(), every / 4);
    return () => {
      gone = true;
      clearInterval(timer);
      clearTimeout(soon);
    };
  }, [session]);
  return figures;
}

/** Bits a second, as people write them. */
export function rate(bits: number): string {
  return bits >= 1_000_000 ? `${(bits / 1_000_000).toFixed(1)} Mbit/s` : `${Math.round(bits / 1000)} kbit/s`;
}

const part = (of: number | undefined, digits = 0): string | undefined => (of === undefined ? undefined : of.toFixed(digits));

/** The panel. */
export function DetailsPanel({ session, onClose }: { session: CallSession; onClose: () => void }) {
  const t = useStrings(strings);
  const nameOf = useNames();
  const figures = useFigures(session);
  const verdict = figures && verdictOf(figures);
  const senders = [...new Set(figures?.tracks.filter(({ up }) => !up).map(({ identity }) => identity))];
  const name = (identity: string) => nameOf(participantOf(identity)?.user ?? identity);
  return (
    <Panel title={t.title} onClose={onClose}>
      {!figures || !verdict ? (
        <p className="hint">{t.measuring}</p>
      ) : (
        <>
          <div className="verdict" data-verdict={verdict}>
            <Icon name={verdict === "good" ? "check" : verdict === "nothing" ? "info" : "alert"} size={22} />
            <p>
              <strong>{t[verdict]}</strong>
              <span>{t[`${verdict}Text`]}</span>
            </p>
          </div>
          <Facts
            facts={[
              [t.up, rate(figures.up)],
              [t.down, rate(figures.down)],
              [t.loss, `${part(figures.loss, 1)} %`],
              [t.roundTrip, figures.way?.roundTrip === undefined ? undefined : `${part(figures.way.roundTrip)} ms`],
              [t.way, figures.way && t[figures.way.protocol]],
              [t.available, figures.way?.available === undefined ? undefined : rate(figures.way.available)],
            ]}
          />
          <Tracks title={t.sent} tracks={figures.tracks.filter(({ up }) => up)} />
          {senders.map((identity) => (
            <Tracks key={identity} title={t.got(name(identity))} tracks={figures.tracks.filter((track) => !track.up && track.identity === identity)} />
          ))}
        </>
      )}
    </Panel>
  );
}

function Facts({ facts }: { facts: readonly (readonly [string, string | undefined])[] }) {
  return (
    <dl className="figures">
      {facts.map(([what, value]) =>
        value === undefined ? null : (
          <div key={what}>
            <dt>{what}</dt>
            <dd>{value}</dd>
          </div>
        ),
      )}
    </dl>
  );
}

function Tracks({ title, tracks }: { title: string; tracks: readonly TrackFigures[] }) {
  const t = useStrings(strings);
  if (tracks.length === 0) return null;
  return (
    <section>
      <h3 className="panel-part">{title}</h3>
      {tracks.map(({ key, source, bitrate, loss, jitter, width, height, fps, codec }) => (
        <div key={key} className="track" data-source={source}>
          <h4>{t[source]}</h4>
          <Facts
            facts={[
              [t.bitrate, rate(bitrate)],
              [t.loss, loss === undefined ? undefined : `${part(loss, 1)} %`],
              [t.jitter, jitter === undefined ? undefined : `${part(jitter)} ms`],
              [t.picture, width && height ? (fps === undefined ? `${width} × ${height}` : t.frames(`${width} × ${height}`, Math.round(fps))) : undefined],
              [t.codec, codec],
            ]}
          />
        </div>
      ))}
    </section>
  );
}
