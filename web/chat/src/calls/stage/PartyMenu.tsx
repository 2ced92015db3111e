// What can be done about somebody in the call: everybody may make them large,
// who looks after the call may mute them, take them out, say whether they speak.
import { useState } from "react";
import { useStrings } from "../../i18n/strings.ts";
import { useClient } from "../../live/context.tsx";
import { useNames } from "../../people/names.tsx";
import { Confirm } from "../../ui/Dialog.tsx";
import { MenuItem, Popover, type MenuPlace } from "../../ui/Menu.tsx";
import { useToasts } from "../../ui/Toasts.tsx";
import type { CallSession } from "../session.ts";
import type { Party } from "./parties.ts";
import { strings } from "./strings.ts";
import { useMay } from "./useMay.ts";

interface PartyMenuProps {
  readonly session: CallSession;
  readonly party: Pick<Party, "user" | "local" | "microphone" | "camera" | "viewer">;
  readonly place: MenuPlace;
  readonly pinned: boolean;
  readonly onPin: () => void;
  readonly onClose: () => void;
}

/** The menu. */
export function PartyMenu({ session, party, place, pinned, onPin, onClose }: PartyMenuProps) {
  const t = useStrings(strings);
  const { calls } = useClient();
  const nameOf = useNames();
  const { show, fail } = useToasts();
  const [asking, setAsking] = useState(false);
  const { id } = session.call;
  const name = nameOf(party.user);
  const may = useMay(session);
  const other = !party.local;
  const act = (what: Promise<unknown>, done?: string) => {
    onClose();
    what.then(() => done && show({ text: done }), fail);
  };
  if (asking) {
    return <Confirm title={t.removeAsk(name)} text={t.removeText} action={t.remove} danger onClose={onClose} onConfirm={() => act(calls.remove(id, party.user))} />;
  }
  return (
    <Popover place={place} align="end" label={t.actions(name)} role="menu" onClose={onClose}>
      <MenuItem
        icon="pin"
        label={pinned ? t.unpin : t.pin}
        onSelect={() => {
          onClose();
          onPin();
        }}
      />
      {other && may.mute && party.microphone ? <MenuItem icon="microphoneOff" label={t.mute} onSelect={() => act(calls.mute(id, party.user, { audio: true }), t.muted(name))} /> : null}
      {other && may.mute && party.camera ? <MenuItem icon="videoOff" label={t.turnCameraOff} onSelect={() => act(calls.mute(id, party.user, { video: true }))} /> : null}
      {other && may.host ? (
        <MenuItem
          icon={party.viewer ? "microphone" : "eye"}
          label={party.viewer ? t.makeSpeaker : t.makeViewer}
          onSelect={() => act(calls.setRole(id, party.user, party.viewer ? "publisher" : "viewer"))}
        />
      ) : null}
      {other && may.remove ? <MenuItem icon="hangUp" label={t.remove} danger onSelect={() => setAsking(true)} /> : null}
      {party.local && session.camera ? (
        <MenuItem
          icon="flip"
          label={t.flip}
          onSelect={() => {
            onClose();
            void session.flipCamera();
          }}
        />
      ) : null}
    </Popover>
  );
}
