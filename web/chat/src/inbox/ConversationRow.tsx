// One conversation in the list.
import type { Conversation } from "@skein/client";
import { memo, useRef } from "react";
import { formatRoute, go } from "../app/route.ts";
import { strings as callStrings } from "../calls/lines/strings.ts";
import { useGroupCall, useOwnCall } from "../calls/lines/useCallOf.ts";
import { colourId, conversationName, listPreview, readUpTo, typingText } from "../format/describe.ts";
import { listTime } from "../format/time.ts";
import { useSpeech } from "../i18n/context.tsx";
import { useClient, useConversation, useDraftText, usePresence } from "../live/context.tsx";
import { useNow } from "../live/now.ts";
import { useNames } from "../people/names.tsx";
import { useStrings } from "../i18n/strings.ts";
import { strings } from "../messages/strings.ts";
import { useMentioned } from "../messages/useMentioned.ts";
import { strings as ownStrings } from "../own/strings.ts";
import { useOwn } from "../own/useOwn.ts";
import { Ticks } from "../thread/Ticks.tsx";
import { useDelivered } from "../thread/useDelivered.ts";
import { useLongPress } from "../thread/useLongPress.ts";
import { Icon } from "../ui/Icon.tsx";
import { placeAt, placeOf, type MenuPlace } from "../ui/Menu.tsx";
import { Avatar } from "../ui/Avatar.tsx";
import { TypingDots } from "./TypingDots.tsx";

interface ConversationRowProps {
  readonly conversation: Conversation;
  readonly selected: boolean;
  /** It is the list's member in the tab order. */
  readonly tabbable: boolean;
  /** Opens the menu of the conversation. */
  readonly onMenu: (conversation: Conversation, place: MenuPlace) => void;
  /** While conversations are selected: whether this one is. */
  readonly checked?: boolean | undefined;
  readonly onToggle: (conversation: Conversation) => void;
}

/** Avatar, name, time, the newest message, and how many are unread. */
export const ConversationRow = memo(function ConversationRow({ conversation, selected, tabbable, onMenu, checked, onToggle }: ConversationRowProps) {
  const { t, tag } = useSpeech();
  const client = useClient();
  const snapshot = useConversation(conversation);
  const now = useNow("minute");
  const s = useStrings(strings);
  const mentioned = useMentioned(conversation, snapshot);
  const draft = useDraftText(conversation.id);
  const online = usePresence(snapshot.peer)?.online ?? false;
  const nameOf = useNames();
  const name = conversationName(snapshot, t, nameOf);
  const last = snapshot.lastMessage;
  const typing = typingText(snapshot.typing, snapshot.kind, t, nameOf);
  const showDraft = draft !== "" && !selected;
  const own = useOwn(conversation);
  const delivered = useDelivered(conversation);
  const o = useStrings(ownStrings);
  const c = useStrings(callStrings);
  const groupCall = useGroupCall(conversation.id);
  const ownCall = useOwnCall(conversation.id);
  const call = groupCall ?? ownCall;
  const pressed = useRef(false);
  const press = useLongPress((x, y) => {
    pressed.current = true;
    onMenu(conversation, placeAt(x, y));
  });

  return (
    <li className="chat-item">
      <a
        className={`chat-row ${selected ? "chat-row-selected" : ""}`}
        href={formatRoute({ at: "chat", id: conversation.id })}
        aria-current={selected ? "page" : undefined}
        tabIndex={tabbable ? 0 : -1}
        data-conversation={conversation.id}
        role={checked === undefined ? undefined : "checkbox"}
        aria-checked={checked}
        {...press}
        onContextMenu={(event) => {
          event.preventDefault();
          if (!pressed.current) onMenu(conversation, event.clientX || event.clientY ? placeAt(event.clientX, event.clientY) : placeOf(event.currentTarget));
        }}
        onClick={(event) => {
          if (pressed.current || checked !== undefined) {
            event.preventDefault();
            if (!pressed.current) onToggle(conversation);
            pressed.current = false;
            return;
          }
          if (event.metaKey || event.ctrlKey || event.shiftKey) return;
          event.preventDefault();
          go({ at: "chat", id: conversation.id });
        }}
      >
        <Avatar id={colourId(snapshot)} name={name} size="l" online={online} notes={snapshot.kind === "self"} />
        <span className="chat-main">
          <span className="chat-line">
            <span className="chat-name">{name}</span>
            {own.muted ? (
              <span className="chat-mark" role="img" aria-label={o.muted}>
                <Icon name="muted" size={15} />
              </span>
            ) : null}
            {own.pinned ? (
              <span className="chat-mark" role="img" aria-label={o.pinned}>
                <Icon name="pin" size={15} />
              </span>
            ) : null}
            {online ? <span className="visually-hidden">{t.online}</span> : null}
            {last?.mine && !showDraft ? <Ticks message={last} readUpTo={readUpTo(snapshot.readMarkers)} deliveredUpTo={delivered} self={snapshot.kind === "self"} /> : null}
            {last ? <time dateTime={new Date(last.time).toISOString()}>{listTime(last.time, now, tag)}</time> : null}
          </span>
          <span className="chat-line">
            <span className="chat-preview" dir="auto">
              {typing ? (
                <span className="chat-typing">
                  {typing}
                  <TypingDots />
                </span>
              ) : showDraft ? (
                <>
                  <span className="chat-draft">{t.draft}</span> {draft}
                </>
              ) : (
                listPreview(last, snapshot.kind, client.userId, t, nameOf)
              )}
            </span>
            {call ? (
              <span className={`chat-call ${ownCall ? "chat-call-own" : ""}`} role="img" aria-label={c.goesOn(call.video ? c.video : c.voice)} title={c.goesOn(call.video ? c.video : c.voice)}>
                <Icon name={call.video ? "video" : "call"} size={14} />
              </span>
            ) : null}
            {mentioned ? (
              <span className="badge badge-mention" role="img" aria-label={s.mentionsYou} title={s.mentionsYou}>
                @
              </span>
            ) : null}
            {snapshot.unread > 0 ? (
              <span className={own.muted ? "badge badge-quiet" : "badge"}>
                <span aria-hidden="true">{snapshot.unread > 999 ? "999+" : snapshot.unread}</span>
                <span className="visually-hidden">{t.unread(snapshot.unread)}</span>
              </span>
            ) : own.markedUnread ? (
              <span className="badge badge-dot" role="img" aria-label={o.markedUnread} />
            ) : null}
          </span>
        </span>
      </a>
    </li>
  );
});
