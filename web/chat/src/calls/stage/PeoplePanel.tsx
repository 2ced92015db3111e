// Who is in the call, whom it rings, and who is not there any more.
import type { PartyState } from "@skein/client/calls";
import { useState } from "react";
import { useStrings } from "../../i18n/strings.ts";
import { useClient } from "../../live/context.tsx";
import { useNames } from "../../people/names.tsx";
import { Avatar } from "../../ui/Avatar.tsx";
import { Button, IconButton } from "../../ui/Button.tsx";
import { Icon } from "../../ui/Icon.tsx";
import { placeOf, type MenuPlace } from "../../ui/Menu.tsx";
import { useToasts } from "../../ui/Toasts.tsx";
import type { CallSession } from "../session.ts";
import { PartyMenu } from "./PartyMenu.tsx";
import type { Party } from "./parties.ts";
import { Panel } from "./Panel.tsx";
import { strings } from "./strings.ts";
import { QualityBars } from "./Tile.tsx";
import { useMay, type May } from "./useMay.ts";

interface PeoplePanelProps {
  readonly session: CallSession;
  readonly parties: readonly Party[];
  readonly pinned: string | undefined;
  readonly onPin: (key: string | undefined) => void;
  readonly onInvite: () => void;
  readonly onClose: () => void;
}

/** The panel. */
export function PeoplePanel({ session, parties, pinned, onPin, onInvite, onClose }: PeoplePanelProps) {
  const t = useStrings(strings);
  const may = useMay(session);
  const here = new Set(parties.map(({ user }) => user));
  const away = session.call.parties.filter(({ user }) => !here.has(user));
  return (
    <Panel title={t.people} onClose={onClose}>
      <h3 className="panel-part">{t.inCall(parties.length)}</h3>
      <ul role="list" className="panel-list">
        {parties.map((party) => (
          <Here key={party.identity} session={session} party={party} pinned={pinned === party.identity} onPin={onPin} />
        ))}
      </ul>
      {away.length > 0 ? (
        <>
          <h3 className="panel-part">{t.notHere}</h3>
          <ul role="list" className="panel-list">
            {away.map(({ user, state }) => (
              <Away key={user} session={session} user={user} state={state} may={may} />
            ))}
          </ul>
        </>
      ) : null}
      {may.invite ? (
        <Button kind="soft" className="panel-do" onClick={onInvite}>
          <Icon name="addPerson" size={20} /> {t.invite}
        </Button>
      ) : null}
    </Panel>
  );
}

function Here({ session, party, pinned, onPin }: { session: CallSession; party: Party; pinned: boolean; onPin: (key: string | undefined) => void }) {
  const t = useStrings(strings);
  const nameOf = useNames();
  const [menu, setMenu] = useState<MenuPlace>();
  const name = nameOf(party.user);
  return (
    <li className="panel-row" data-speaking={party.speaking}>
      <Avatar id={party.user} name={name} size="s" />
      <span className="panel-name">
        {party.local ? t.youAre(name) : name}
        {party.viewer ? <small>{t.viewer}</small> : null}
      </span>
      <QualityBars quality={party.quality} />
      {party.viewer ? null : <Icon name={party.microphone ? "microphone" : "microphoneOff"} size={18} />}
      {party.viewer || party.microphone ? null : <span className="visually-hidden">{t.microphoneOff}</span>}
      <IconButton icon="more" size={18} label={t.actions(name)} aria-haspopup="menu" aria-expanded={menu !== undefined} onClick={(event) => setMenu(placeOf(event.currentTarget))} />
      {menu ? <PartyMenu session={session} party={party} place={menu} pinned={pinned} onPin={() => onPin(pinned ? undefined : party.identity)} onClose={() => setMenu(undefined)} /> : null}
    </li>
  );
}

function Away({ session, user, state, may }: { session: CallSession; user: string; state: PartyState; may: May }) {
  const t = useStrings(strings);
  const { calls } = useClient();
  const nameOf = useNames();
  const { fail } = useToasts();
  const name = nameOf(user);
  const how: Readonly<Record<PartyState, string>> = { ringing: t.rings, joined: t.cutOff, declined: t.declined, missed: t.missed, busy: t.busy, left: t.left, removed: t.removed };
  return (
    <li className="panel-row">
      <Avatar id={user} name={name} size="s" />
      <span className="panel-name">
        {name}
        <small>{how[state]}</small>
      </span>
      {state === "ringing" && may.remove ? (
        <Button className="panel-small" onClick={() => void calls.remove(session.call.id, user).catch(fail)}>
          {t.stopRinging}
        </Button>
      ) : state !== "ringing" && state !== "joined" && may.invite ? (
        <Button className="panel-small" onClick={() => void calls.invite(session.call.id, [user]).catch(fail)}>
          {t.callAgain}
        </Button>
      ) : null}
    </li>
  );
}
