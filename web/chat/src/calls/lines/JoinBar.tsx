// The bar below the head of a conversation whose call goes on without this tab.
import type { Conversation } from "@skein/client";
import { useStrings } from "../../i18n/strings.ts";
import { useClient } from "../../live/context.tsx";
import { useNow } from "../../live/now.ts";
import { playTime } from "../../files/sizes.ts";
import { useNames } from "../../people/names.tsx";
import { Avatar } from "../../ui/Avatar.tsx";
import { Button } from "../../ui/Button.tsx";
import { Icon } from "../../ui/Icon.tsx";
import { useCalls, useCallsState } from "../CallsContext.tsx";
import { Recorded } from "../recordings/RecordingMark.tsx";
import { strings } from "./strings.ts";
import { useGroupCall, useOwnCall } from "./useCallOf.ts";

/** The bar; nothing where no call goes on. */
export function JoinBar({ conversation }: { conversation: Conversation }) {
  const s = useStrings(strings);
  const client = useClient();
  const calls = useCalls();
  const { going, busy, back, rings } = useCallsState();
  const group = useGroupCall(conversation.id);
  const own = useOwnCall(conversation.id);
  const id = group?.id ?? own?.id;
  // This tab is in it, is about to be, or is asked whether it wants to by something larger.
  if (!calls || id === undefined || going?.call === id || going?.phase === "dialling" || back?.id === id || rings.some((call) => call.id === id)) return null;
  const elsewhere = own !== undefined && own.device !== client.snapshot.deviceId;
  // Of a call of two that this device is in, in another tab, there is nothing to say here.
  if (!group && !elsewhere) return null;
  const video = group?.video ?? own?.video ?? false;
  const join = (camera: boolean) => void calls.accept(id, { camera, microphone: true }, { move: elsewhere });
  return (
    <section className="join-bar" aria-label={s.goesOn(video ? s.video : s.voice)}>
      <Icon name={video ? "video" : "call"} size={20} />
      <span className="join-bar-text">
        <strong>{elsewhere ? s.elsewhere : s.goesOn(video ? s.video : s.voice)}</strong>
        {group ? (
          <span>
            {s.people(group.joined)} · <Since start={group.started} /> {group.recording ? <Recorded mark={group.recording} /> : null}
          </span>
        ) : null}
      </span>
      {group ? <Faces users={group.users} /> : null}
      {video && !elsewhere ? (
        <Button kind="soft" className="join-bar-camera" disabled={busy !== ""} onClick={() => join(true)}>
          {s.joinVideo}
        </Button>
      ) : null}
      <Button kind="primary" busy={busy === id} disabled={busy !== ""} onClick={() => join(elsewhere && video)}>
        {elsewhere ? s.move : s.join}
      </Button>
    </section>
  );
}

/** How long a call has lasted. */
function Since({ start }: { start: number }) {
  const now = useNow("second");
  return <span className="numbers">{playTime(now - start)}</span>;
}

/** The first of those who are in it. */
function Faces({ users }: { users: readonly string[] }) {
  const nameOf = useNames();
  return (
    <span className="join-bar-faces" aria-hidden="true">
      {users.slice(0, 4).map((user) => (
        <Avatar key={user} id={user} name={nameOf(user)} size="s" />
      ))}
    </span>
  );
}
