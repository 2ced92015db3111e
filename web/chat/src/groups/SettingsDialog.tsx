// What a group is like: its type, who comes in, what members may do.
import type { Conversation, ConversationSnapshot } from "@skein/client";
import type { GroupSettings, GroupType, JoinMode, SettingsChange } from "@skein/client/groups";
import { useId, useState, type FormEvent, type ReactNode } from "react";
import { exact } from "../format/time.ts";
import { useSpeech } from "../i18n/context.tsx";
import { useStrings } from "../i18n/strings.ts";
import { useClient } from "../live/context.tsx";
import { Button } from "../ui/Button.tsx";
import { Dialog } from "../ui/Dialog.tsx";
import { useToasts } from "../ui/Toasts.tsx";
import { duration, muteTimes, slowTimes } from "./durations.ts";
import { GrantList } from "./GrantList.tsx";
import { strings } from "./strings.ts";
import { useGroup } from "./useGroup.ts";

interface SettingsDialogProps {
  readonly conversation: Conversation;
  readonly snapshot: ConversationSnapshot;
  readonly onClose: () => void;
}

/** A label above what it names. */
function Field({ label, children }: { label: string; children: (id: string) => ReactNode }) {
  const id = useId();
  return (
    <div className="field">
      <label className="field-label" htmlFor={id}>
        {label}
      </label>
      {children(id)}
    </div>
  );
}

/** What differs between two states of the settings. */
export function changed(before: GroupSettings, after: GroupSettings): SettingsChange {
  const { roles: _roles, mutedUntil: _muted, dissolved: _dissolved, ...rest } = after;
  const keys = (Object.keys(rest) as (keyof SettingsChange)[]).filter((key) => JSON.stringify(before[key]) !== JSON.stringify(after[key]));
  const change = Object.fromEntries(keys.map((key) => [key, after[key]]));
  // Another type brings its own defaults: what members may do follows it unless it was touched, too.
  return change["type"] !== undefined && change["memberGrants"] === undefined ? { ...change, memberGrants: null } : change;
}

/** The dialog; it is offered to who has the grant `manage`. */
export function SettingsDialog({ conversation, snapshot, onClose }: SettingsDialogProps) {
  const s = useStrings(strings);
  const { tag } = useSpeech();
  const { groups } = useClient();
  const { fail } = useToasts();
  const { settings, may } = useGroup(conversation);
  const [edited, setEdited] = useState<GroupSettings>();
  const [busy, setBusy] = useState(false);
  if (!settings) return null;
  const now = edited ?? settings;
  const set = (change: SettingsChange) => setEdited({ ...now, ...change } as GroupSettings);
  const owner = snapshot.myRole === "owner";
  const types: Record<GroupType, string> = {
    private: s.typePrivate,
    public: s.typePublic,
    broadcast: s.typeBroadcast,
    livestream: s.typeLivestream,
    community: s.typeCommunity,
  };
  const joins: Record<JoinMode, string> = { open: s.joinOpen, approval: s.joinApproval, invite: s.joinInvite };

  const save = (event: FormEvent) => {
    event.preventDefault();
    const change = changed(settings, now);
    if (Object.keys(change).length === 0) return onClose();
    setBusy(true);
    groups.update(conversation, change).then(onClose, (error: unknown) => {
      setBusy(false);
      fail(error);
    });
  };
  const muteAll = (seconds: number) => groups.muteAll(conversation, seconds).catch(fail);
  const muted = settings.mutedUntil > Date.now();

  return (
    <Dialog title={s.settings} onClose={onClose} wide>
      <form onSubmit={save}>
        <Field label={s.description}>
          {(id) => <textarea id={id} className="input" rows={3} maxLength={600} value={now.description} onChange={(event) => set({ description: event.target.value })} />}
        </Field>
        <Field label={s.avatar}>
          {(id) => <input id={id} className="input" type="url" pattern="https://.*" maxLength={512} value={now.avatarUrl} onChange={(event) => set({ avatarUrl: event.target.value.trim() })} />}
        </Field>
        <Field label={s.type}>
          {(id) => (
            <select id={id} className="input" value={now.type} disabled={!owner || settings.type === "livestream"} onChange={(event) => set({ type: event.target.value as GroupType })}>
              {(Object.keys(types) as GroupType[])
                .filter((type) => type !== "livestream" || settings.type === "livestream")
                .map((type) => (
                  <option key={type} value={type}>
                    {types[type]}
                  </option>
                ))}
            </select>
          )}
        </Field>
        <Field label={s.join}>
          {(id) => (
            <select id={id} className="input" value={now.joinMode} onChange={(event) => set({ joinMode: event.target.value as JoinMode })}>
              {(Object.keys(joins) as JoinMode[]).map((mode) => (
                <option key={mode} value={mode}>
                  {joins[mode]}
                </option>
              ))}
            </select>
          )}
        </Field>
        <Field label={s.slow}>
          {(id) => (
            <select id={id} className="input" value={now.slowMode} onChange={(event) => set({ slowMode: Number(event.target.value) })}>
              {[...new Set([...slowTimes, now.slowMode])].map((seconds) => (
                <option key={seconds} value={seconds}>
                  {seconds === 0 ? s.slowOff : duration(seconds, s)}
                </option>
              ))}
            </select>
          )}
        </Field>
        <Field label={s.most}>
          {(id) => (
            <input id={id} className="input" type="number" min={2} max={100_000} placeholder={s.mostHint} value={now.maxMembers || ""} onChange={(event) => set({ maxMembers: Number(event.target.value) })} />
          )}
        </Field>
        <label className="check">
          <input type="checkbox" checked={now.historyVisible} onChange={(event) => set({ historyVisible: event.target.checked })} />
          <span>{s.history}</span>
        </label>
        {may("manageRoles") ? <GrantList title={s.memberMay} grants={now.memberGrants} mine={may} onChange={(memberGrants) => set({ memberGrants })} /> : null}
        {owner ? <GrantList title={s.adminMay} grants={now.adminGrants} mine={may} onChange={(adminGrants) => set({ adminGrants })} /> : null}
        {may("mute") && snapshot.myRole !== "member" ? (
          <fieldset className="grants">
            <legend className="field-label">{s.muteAll}</legend>
            {muted ? <p className="hint">{s.muteAllOn(exact(settings.mutedUntil, tag))}</p> : null}
            <div className="chips">
              {muteTimes.map((seconds) => (
                <Button key={seconds} kind="soft" onClick={() => void muteAll(seconds)}>
                  {duration(seconds, s)}
                </Button>
              ))}
              {muted ? <Button onClick={() => void muteAll(0)}>{s.muteAllEnd}</Button> : null}
            </div>
          </fieldset>
        ) : null}
        <div className="dialog-submit">
          <Button kind="primary" submit busy={busy}>
            {s.save}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
