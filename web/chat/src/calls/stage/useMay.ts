// What this user may do about others in a call: its host everything, in a
// group those who look after its members mute and take out as well.
import { useMemo } from "react";
import { useGroup } from "../../groups/useGroup.ts";
import { useClient, useConversation } from "../../live/context.tsx";
import type { CallSession } from "../session.ts";

/** What they may do. */
export interface May {
  /** There can be more than two in it. */
  readonly group: boolean;
  readonly invite: boolean;
  readonly mute: boolean;
  readonly remove: boolean;
  /** Record it. */
  readonly record: boolean;
  /** Say who speaks and who listens, and end it for everybody. */
  readonly host: boolean;
}

/** What this user may do; in a call of two nobody is above the other. */
export function useMay(session: CallSession): May {
  const client = useClient();
  const conversation = useMemo(() => client.conversation.get(session.call.conversation), [client, session]);
  const group = useConversation(conversation).kind === "group";
  const { may } = useGroup(conversation);
  const host = group && session.host;
  return { group, invite: group && may("call"), mute: host || (group && may("mute")), remove: host || (group && may("removeMembers")), record: session.host || (group && may("mute")), host };
}
