// The buttons in the head of a conversation that begin a call. What is in the
// way of one is said when they are pressed, and in their tooltips.
import type { Conversation, ConversationSnapshot } from "@skein/client";
import { useState } from "react";
import { useStrings } from "../../i18n/strings.ts";
import { useToasts } from "../../ui/Toasts.tsx";
import { IconButton } from "../../ui/Button.tsx";
import { MenuItem, placeOf, Popover, type MenuPlace } from "../../ui/Menu.tsx";
import { useCalls, useCallsState } from "../CallsContext.tsx";
import { GroupCallDialog } from "./GroupCallDialog.tsx";
import { strings } from "./strings.ts";
import { useGroupCall, useMayCall } from "./useCallOf.ts";

interface CallButtonsProps {
  readonly conversation: Conversation;
  readonly snapshot: ConversationSnapshot;
}

/** The buttons; nothing where people do not call each other. */
export function CallButtons({ conversation, snapshot }: CallButtonsProps) {
  const s = useStrings(strings);
  const { show } = useToasts();
  const calls = useCalls();
  const { going, available } = useCallsState();
  const { shown, obstacle } = useMayCall(conversation, snapshot);
  const running = useGroupCall(conversation.id);
  const [choosing, setChoosing] = useState<{ readonly video: boolean }>();
  const [menu, setMenu] = useState<MenuPlace>();
  // A server without calls has no buttons for them. Who is in the call of this very conversation needs no button for it, and where one goes on there is a bar to join it by.
  if (!shown || available === false || going?.conversation === conversation.id || running) return null;

  const call = (video: boolean) => {
    setMenu(undefined);
    if (obstacle !== undefined) show({ text: obstacle });
    else if (snapshot.kind === "group") setChoosing({ video });
    else void calls?.start(conversation, { video });
  };
  const button = (video: boolean) => {
    const label = video ? s.video : s.voice;
    return (
      <IconButton
        icon={video ? "video" : "call"}
        label={obstacle === undefined ? label : `${label}. ${obstacle}`}
        className="call-button call-button-wide"
        aria-disabled={obstacle !== undefined}
        onClick={() => call(video)}
      />
    );
  };
  return (
    <>
      {button(false)}
      {button(true)}
      <IconButton
        icon="call"
        label={obstacle === undefined ? s.start : `${s.start}. ${obstacle}`}
        className="call-button call-button-narrow"
        aria-disabled={obstacle !== undefined}
        aria-haspopup="menu"
        aria-expanded={menu !== undefined}
        onClick={(event) => (obstacle === undefined ? setMenu(placeOf(event.currentTarget)) : show({ text: obstacle }))}
      />
      {menu ? (
        <Popover place={menu} role="menu" align="end" label={s.start} onClose={() => setMenu(undefined)}>
          <MenuItem icon="call" label={s.voice} onSelect={() => call(false)} />
          <MenuItem icon="video" label={s.video} onSelect={() => call(true)} />
        </Popover>
      ) : null}
      {choosing ? <GroupCallDialog conversation={conversation} snapshot={snapshot} video={choosing.video} onClose={() => setChoosing(undefined)} /> : null}
    </>
  );
}
