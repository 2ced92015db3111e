// The buttons of a call: microphone, camera, screen, more, and the way out.
import { useState } from "react";
import { useStrings } from "../../i18n/strings.ts";
import { Icon, type IconName } from "../../ui/Icon.tsx";
import { placeOf, type MenuPlace } from "../../ui/Menu.tsx";
import type { CallSession, Source } from "../session.ts";
import { MoreMenu } from "./MoreMenu.tsx";
import type { StageControls } from "./Stage.tsx";
import { strings } from "./strings.ts";

/** Whether this browser can show a screen. */
export const screens = typeof navigator !== "undefined" && typeof navigator.mediaDevices?.getDisplayMedia === "function";

/** A phone has cameras at both sides. */
const touch = matchMedia("(pointer: coarse)").matches;

interface RoundProps {
  readonly icon: IconName;
  readonly label: string;
  readonly kind?: "off" | "end" | "on";
  readonly busy?: boolean;
  readonly alert?: boolean;
  readonly onClick: (event: React.MouseEvent<HTMLButtonElement>) => void;
  readonly expanded?: boolean;
}

/** A round button with a sign. */
export function Round({ icon, label, kind, busy = false, alert = false, onClick, expanded }: RoundProps) {
  return (
    <button type="button" className="round" data-kind={kind} aria-label={label} title={label} aria-busy={busy || undefined} aria-expanded={expanded} aria-haspopup={expanded === undefined ? undefined : "menu"} onClick={onClick}>
      <Icon name={icon} size={24} />
      {alert ? <span className="round-alert" aria-hidden="true" /> : null}
    </button>
  );
}

/** The buttons of the own microphone and camera. */
export function OwnButtons({ session }: { session: CallSession }) {
  const t = useStrings(strings);
  const alert = (source: Source) => session.trouble(source) !== undefined;
  if (session.viewer) return null;
  return (
    <>
      <Round
        icon={session.microphone ? "microphone" : "microphoneOff"}
        label={session.microphone ? t.muteMe : t.unmuteMe}
        {...(session.microphone ? {} : { kind: "off" as const })}
        busy={session.switching("microphone")}
        alert={alert("microphone")}
        onClick={() => void session.setMicrophone(!session.microphone)}
      />
      <Round
        icon={session.camera ? "video" : "videoOff"}
        label={session.camera ? t.cameraOff : t.cameraOn}
        {...(session.camera ? {} : { kind: "off" as const })}
        busy={session.switching("camera")}
        alert={alert("camera")}
        onClick={() => void session.setCamera(!session.camera)}
      />
    </>
  );
}

/** The bar of them. */
export function Controls({ session, controls }: { session: CallSession; controls: StageControls }) {
  const t = useStrings(strings);
  const [menu, setMenu] = useState<MenuPlace>();
  return (
    <footer className="stage-controls">
      <OwnButtons session={session} />
      {screens && !session.viewer ? (
        <span className="wide-only">
          <Round
            icon={session.screen ? "screenOff" : "screen"}
            label={session.screen ? t.screenOff : t.screenOn}
            {...(session.screen ? { kind: "on" as const } : {})}
            busy={session.switching("screen")}
            onClick={() => void session.setScreen(!session.screen)}
          />
        </span>
      ) : null}
      {session.camera && !session.viewer && touch ? (
        <span className="narrow-only">
          <Round icon="flip" label={t.flip} onClick={() => void session.flipCamera()} />
        </span>
      ) : null}
      <Round icon="more" label={t.more} expanded={menu !== undefined} onClick={(event) => setMenu(placeOf(event.currentTarget))} />
      <Round icon="hangUp" label={t.hangUp} kind="end" onClick={() => void session.hangUp().catch(() => undefined)} />
      {menu ? <MoreMenu session={session} controls={controls} place={menu} onClose={() => setMenu(undefined)} /> : null}
    </footer>
  );
}
