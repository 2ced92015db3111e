// One's own profile and status.
import type { Profile } from "@skein/client/people";
import { useEffect, useId, useState, type FormEvent } from "react";
import { useStrings } from "../i18n/strings.ts";
import { useClient } from "../live/context.tsx";
import { Avatar } from "../ui/Avatar.tsx";
import { Button, Spinner } from "../ui/Button.tsx";
import { Dialog } from "../ui/Dialog.tsx";
import { useToasts } from "../ui/Toasts.tsx";
import { strings } from "./strings.ts";

const empty: Profile = { user: "", name: "", avatarUrl: "", bio: "", gender: "", birthday: "", language: "", custom: {} };
const fields = [
  { field: "name", max: 64, type: "text" },
  { field: "bio", max: 500, type: "area" },
  { field: "avatarUrl", max: 1024, type: "url" },
  { field: "gender", max: 32, type: "text" },
  { field: "birthday", max: 10, type: "date" },
  { field: "language", max: 35, type: "text" },
] as const;

/** The dialog. */
export function MyProfileDialog({ onClose }: { onClose: () => void }) {
  const s = useStrings(strings);
  const { people, userId } = useClient();
  const { fail, show } = useToasts();
  const id = useId();
  const [saved, setSaved] = useState<Profile>();
  const [profile, setProfile] = useState<Profile>(empty);
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    const abort = new AbortController();
    people.profiles([userId], { fresh: true, signal: abort.signal }).then(
      (found) => {
        const mine = found.get(userId) ?? { ...empty, user: userId };
        setSaved(mine);
        setProfile(mine);
      },
      (error: unknown) => {
        if (!abort.signal.aborted) fail(error);
      },
    );
    return () => abort.abort();
  }, [people, userId, fail]);

  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!saved) return;
    const changed = Object.fromEntries(fields.flatMap(({ field }) => (profile[field].trim() === saved[field] ? [] : [[field, profile[field].trim()]])));
    if (Object.keys(changed).length === 0) {
      onClose();
      return;
    }
    setBusy(true);
    people
      .updateProfile(changed)
      .then(() => {
        show({ text: s.saved });
        onClose();
      }, fail)
      .finally(() => setBusy(false));
  };
  const labels = { name: s.name, bio: s.bio, avatarUrl: s.avatar, gender: s.gender, birthday: s.birthday, language: s.language };
  return (
    <Dialog title={s.myProfile} onClose={onClose}>
      <div className="info-card">
        <Avatar id={userId} name={profile.name || userId} size="xl" />
        <span className="hint">{userId}</span>
      </div>
      <StatusForm />
      {saved ? (
        <form onSubmit={submit}>
          {fields.map(({ field, max, type }) => (
            <div key={field} className="field">
              <label className="field-label" htmlFor={id + field}>
                {labels[field]}
              </label>
              {type === "area" ? (
                <textarea id={id + field} className="input" rows={3} maxLength={max} value={profile[field]} onChange={(event) => setProfile({ ...profile, [field]: event.target.value })} />
              ) : (
                <input id={id + field} className="input" type={type} maxLength={max} value={profile[field]} onChange={(event) => setProfile({ ...profile, [field]: event.target.value })} />
              )}
            </div>
          ))}
          <div className="dialog-submit">
            <Button kind="primary" submit busy={busy}>
              {s.save}
            </Button>
          </div>
        </form>
      ) : (
        <Spinner />
      )}
    </Dialog>
  );
}

const emojis = ["", "💬", "🎧", "📅", "🚌", "🤒", "🌴", "🍜", "🏠"] as const;

/** The picker of a status. */
function StatusForm() {
  const s = useStrings(strings);
  const { people, presence, userId } = useClient();
  const { fail, show } = useToasts();
  const id = useId();
  const now = people.statusOf(presence.get(userId));
  const [text, setText] = useState(now?.text ?? "");
  const [emoji, setEmoji] = useState<string>(now?.emoji ?? "");
  const [hours, setHours] = useState(0);
  const [busy, setBusy] = useState(false);
  const set = (clear: boolean) => {
    setBusy(true);
    const until = hours === 0 ? undefined : hours === 24 ? new Date().setHours(23, 59, 59, 0) : Date.now() + hours * 3_600_000;
    people
      .setStatus(clear ? undefined : { text: text.trim(), emoji, until })
      .then(() => {
        if (clear) {
          setText("");
          setEmoji("");
        }
        show({ text: s.saved });
      }, fail)
      .finally(() => setBusy(false));
  };
  return (
    <form
      className="field status-form"
      onSubmit={(event) => {
        event.preventDefault();
        set(text.trim() === "" && emoji === "");
      }}
    >
      <label className="field-label" htmlFor={id}>
        {s.status}
      </label>
      <div className="status-emojis" role="radiogroup" aria-label={s.status}>
        {emojis.map((one) => (
          <button key={one} type="button" role="radio" aria-checked={emoji === one} aria-label={one === "" ? s.statusClear : one} className="status-emoji" onClick={() => setEmoji(one)}>
            {one === "" ? "–" : one}
          </button>
        ))}
      </div>
      <input id={id} className="input" value={text} maxLength={42} placeholder={s.statusText} onChange={(event) => setText(event.target.value)} />
      <div className="status-line">
        <select className="input" aria-label={s.statusFor} value={hours} onChange={(event) => setHours(Number(event.target.value))}>
          <option value={0}>{s.statusStays}</option>
          <option value={1}>{s.statusHour}</option>
          <option value={24}>{s.statusDay}</option>
        </select>
        <Button kind="soft" submit busy={busy}>
          {s.statusSet}
        </Button>
        <Button busy={busy} onClick={() => set(true)}>
          {s.statusClear}
        </Button>
      </div>
    </form>
  );
}
