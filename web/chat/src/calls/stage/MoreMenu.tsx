// All else that can be done in a call.
import { useStrings } from "../../i18n/strings.ts";
import { MenuItem, Popover, type MenuPlace } from "../../ui/Menu.tsx";
import type { CallSession } from "../session.ts";
import { screens } from "./Controls.tsx";
import type { StageControls } from "./Stage.tsx";
import { strings } from "./strings.ts";
import { RecordItem } from "../recordings/RecordingMark.tsx";
import { useMay } from "./useMay.ts";

interface MoreMenuProps {
  readonly session: CallSession;
  readonly controls: StageControls;
  readonly place: MenuPlace;
  readonly onClose: () => void;
}

/** The menu. */
export function MoreMenu({ session, controls, place, onClose }: MoreMenuProps) {
  const t = useStrings(strings);
  const may = useMay(session);
  const { layout, setLayout, open, pip, fullScreen } = controls;
  const then = (act: () => void) => () => {
    onClose();
    act();
  };
  const narrow = matchMedia("(max-width: 480px)").matches;
  return (
    <Popover place={place} align="end" label={t.more} role="menu" onClose={onClose}>
      <MenuItem icon="tiles" label={t.layoutGrid} checked={layout === "grid"} onSelect={then(() => setLayout("grid"))} />
      <MenuItem icon="spotlight" label={t.layoutSpeaker} checked={layout === "speaker"} onSelect={then(() => setLayout("speaker"))} />
      <div className="menu-line" />
      {screens && narrow && !session.viewer ? (
        <MenuItem icon={session.screen ? "screenOff" : "screen"} label={session.screen ? t.screenOff : t.screenOn} onSelect={then(() => void session.setScreen(!session.screen))} />
      ) : null}
      {fullScreen ? <MenuItem icon={fullScreen.on ? "shrink" : "expand"} label={fullScreen.on ? t.noFullScreen : t.fullScreen} onSelect={then(fullScreen.toggle)} /> : null}
      {pip ? <MenuItem icon="pip" label={t.pip} onSelect={then(pip)} /> : null}
      <MenuItem icon="group" label={t.people} onSelect={then(() => open("people"))} />
      {may.invite ? <MenuItem icon="addPerson" label={t.invite} onSelect={then(() => open("invite"))} /> : null}
      <MenuItem icon="microphone" label={t.devices} onSelect={then(() => open("devices"))} />
      <MenuItem icon="lock" label={t.encryption} onSelect={then(() => open("words"))} />
      <MenuItem icon="signal" label={t.details} onSelect={then(() => open("details"))} />
      {may.record ? <RecordItem call={session.call.id} ask={() => open("record")} onSelect={onClose} /> : null}
      {may.host ? <MenuItem icon="hangUp" label={t.endForAll} danger onSelect={then(() => open("end"))} /> : null}
    </Popover>
  );
}
