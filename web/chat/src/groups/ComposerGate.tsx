// What stands in the composer's place for who may not write.
import type { Conversation, ConversationSnapshot } from "@skein/client";
import type { SendBlock } from "@skein/client/groups";
import { exact } from "../format/time.ts";
import { useSpeech } from "../i18n/context.tsx";
import { useStrings } from "../i18n/strings.ts";
import { strings as liveStrings } from "../livestream/strings.ts";
import { left } from "./durations.ts";
import { strings } from "./strings.ts";
import { useGroup } from "./useGroup.ts";

interface GateProps {
  readonly conversation: Conversation;
  readonly snapshot: ConversationSnapshot;
  readonly block: SendBlock;
}

/** Says why nobody can write here now, and until when. */
export function ComposerGate({ conversation, block }: GateProps) {
  const s = useStrings(strings);
  const { tag } = useSpeech();
  const { settings } = useGroup(conversation);
  const live = useStrings(liveStrings);
  const text = {
    dissolved: s.dissolved,
    livestream: live.keepsNothing,
    not_allowed: settings?.type === "broadcast" ? s.mayNotWrite : s.mayNotWriteGroup,
    muted: s.youAreMuted(exact(block.until, tag)),
    slow_mode: s.slowWait(left(block.until - Date.now(), s)),
  }[block.reason];
  return (
    <p className={block.reason === "slow_mode" ? "composer-slow" : "composer-gate"} role="status">
      {text}
    </p>
  );
}
