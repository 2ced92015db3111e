// What is kept from another incarnation of the journal, whose positions are others: docs/sdk-spec.md §2.3.
import { discard, fail } from "./outbox.js";
import type { Reduction } from "./reduction.js";
import { rangeAt } from "./spans.js";
import { type ConversationState, newConversation } from "./state.js";

/**
 * The conversation that news is about. One that was kept from another incarnation, because of what waits in the outbox,
 * begins anew: its positions are not those of the news.
 */
export function current(r: Reduction, id: string): ConversationState {
  const c = r.get(id);
  if (c.incarnation === r.state.incarnation) return c;
  if (c.head.seq > 0) {
    r.removeMessages(c, 1, c.head.seq);
    Object.assign(c, newConversation(id, r.state.incarnation));
    r.changes.push({ type: "gap", conversation: id });
    disown(r, c);
  }
  c.incarnation = r.state.incarnation;
  r.touch(c);
  return c;
}

/**
 * Removes what another incarnation acknowledged before its entry came, since the ack's position is none of this one's:
 * what was restored of it is in the log. And fails what was to be done to messages that are not known to be in the new
 * incarnation where they were, which is in `ranges`: it would be done to others.
 */
export function disown(r: Reduction, c: ConversationState, ranges = c.ranges): void {
  for (const { id, conversation, state, targetId, targetSeq } of r.state.outbox.all()) {
    const same = c.messages.get(targetSeq)?.id === targetId && rangeAt(ranges, targetSeq);
    if (conversation !== c.id) continue;
    if (state === "sent") discard(r, id);
    else if (targetSeq && !same) fail(r, id, { code: "failed_precondition", message: "what this is about was not restored", hint: "", retryAfterMs: 0 });
  }
}
