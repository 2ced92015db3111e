// The menu behind the button at the top left: who one is, and everything that
// is no conversation.
import { useState } from "react";
import { strings as callStrings } from "../calls/history/strings.ts";
import { useWords } from "../i18n/context.tsx";
import { useStrings } from "../i18n/strings.ts";
import { useClient } from "../live/context.tsx";
import { strings as joinStrings } from "../joining/strings.ts";
import { useWaiting } from "../joining/useJoining.ts";
import { strings as liveStrings } from "../livestream/strings.ts";
import { useNames, usePeopleList } from "../people/names.tsx";
import { strings } from "../people/strings.ts";
import { AppearanceSettings } from "../settings/Appearance.tsx";
import { setPrefs, usePrefs } from "../settings/prefs.ts";
import { Avatar } from "../ui/Avatar.tsx";
import { IconButton } from "../ui/Button.tsx";
import { MenuItem, placeOf, Popover, type MenuPlace } from "../ui/Menu.tsx";
import { useWorkspace } from "./workspaceContext.ts";

/** The button and its menu. */
export function MainMenu() {
  const t = useWords();
  const s = useStrings(strings);
  const client = useClient();
  const nameOf = useNames();
  const waiting = usePeopleList("requests").filter((r) => !r.outgoing).length;
  const j = useStrings(joinStrings);
  const l = useStrings(liveStrings);
  const c = useStrings(callStrings);
  const asking = [...useWaiting().values()].reduce((sum, n) => sum + n, 0);
  const news = [...(waiting > 0 ? [s.waiting(waiting)] : []), ...(asking > 0 ? [j.requestsWait(asking)] : [])].join(", ");
  const { dev, open, leave, session } = useWorkspace();
  const { developer } = usePrefs();
  const [place, setPlace] = useState<MenuPlace>();
  const close = () => setPlace(undefined);
  const then = (action: () => void) => () => {
    close();
    action();
  };

  return (
    <>
      <IconButton
        icon="menu"
        label={news === "" ? t.menu : `${t.menu}: ${news}`}
        className={news === "" ? "" : "menu-waiting"}
        aria-haspopup="menu"
        aria-expanded={place !== undefined}
        onClick={(event) => setPlace(placeOf(event.currentTarget))}
      />
      {place ? (
        <Popover place={place} role="menu" label={t.menu} className="main-menu" onClose={close}>
          <div className="main-menu-user" role="presentation">
            <Avatar id={client.userId} name={nameOf(client.userId)} />
            <span>
              <strong>{nameOf(client.userId)}</strong>
              <span className="hint">{client.appId}</span>
            </span>
          </div>
          <MenuItem
            icon="notes"
            label={t.notes}
            onSelect={then(() => open({ conversation: client.conversation.self().id }))}
          />
          <MenuItem icon="group" label={t.newGroup} onSelect={then(() => open({ dialog: "group" }))} />
          <MenuItem icon="plus" label={j.joinTitle} onSelect={then(() => open({ dialog: "join" }))} />
          <MenuItem icon="group" label={asking > 0 ? j.requestsWait(asking) : j.requests} onSelect={then(() => open({ dialog: "joinRequests" }))} />
          <MenuItem icon="eye" label={l.menu} onSelect={then(() => open({ dialog: "livestream" }))} />
          <MenuItem icon="person" label={waiting > 0 ? `${s.contacts} (${s.waiting(waiting)})` : s.contacts} onSelect={then(() => open({ dialog: "people" }))} />
          <MenuItem icon="call" label={c.title} onSelect={then(() => open({ dialog: "calls" }))} />
          <MenuItem icon="edit" label={s.myProfile} onSelect={then(() => open({ dialog: "me" }))} />
          <MenuItem icon="eye" label={s.privacy} onSelect={then(() => open({ dialog: "privacy" }))} />
          <MenuItem icon="device" label={t.devices} onSelect={then(() => open({ dialog: "devices" }))} />
          {dev ? (
            <MenuItem icon="code" label={t.developer} checked={developer} onSelect={then(() => setPrefs({ developer: !developer }))} />
          ) : null}
          <div className="menu-line" role="separator" />
          <div className="main-menu-looks" role="presentation">
            <AppearanceSettings inMenu />
          </div>
          <div className="menu-line" role="separator" />
          {session.kind === "demo" ? (
            <MenuItem icon="switchUser" label={t.switchUser} onSelect={then(() => leave("switch"))} />
          ) : null}
          <MenuItem icon="signOut" label={t.signOut} danger onSelect={then(() => open({ dialog: "signOut" }))} />
        </Popover>
      ) : null}
    </>
  );
}
