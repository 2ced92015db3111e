// One row of the thread: a message with what stands above it.
import type { Conversation, Message } from "@skein/client";
import { memo, useMemo, useRef, type KeyboardEvent, type MouseEvent } from "react";
import { errorText, eventText, isEvent, recalledText } from "../format/describe.ts";
import { isBigEmoji } from "../format/linkify.ts";
import { hue } from "../format/names.ts";
import { clock, dayLabel, exact } from "../format/time.ts";
import { useSpeech } from "../i18n/context.tsx";
import { Avatar } from "../ui/Avatar.tsx";
import { IconButton } from "../ui/Button.tsx";
import { Covered, EndBadge, Expired } from "../timed/EndBadge.tsx";
import { useLeft } from "../timed/ends.ts";
import { onlyAlbum } from "../files/Attachments.tsx";
import { FileOwner } from "../files/FileOwner.ts";
import { ownerOf } from "../files/gallery/items.ts";
import { inAlbum } from "../files/kinds.ts";
import { useTransferOf } from "../files/transfers/TransferParts.tsx";
import { Icon } from "../ui/Icon.tsx";
import { placeAt, placeOf } from "../ui/Menu.tsx";
import { PinnedAction } from "../pins/PinnedAction.tsx";
import { PollCard } from "../polls/PollCard.tsx";
import { ThreadLine, TopicCard } from "../threadpane/ThreadLine.tsx";
import { useMessageActions } from "./actions.ts";
import type { Surroundings } from "./grouping.ts";
import { ContentBody } from "../messages/ContentBody.tsx";
import { Marks, SaidText } from "../messages/Said.tsx";
import { SelectBox, useSelection } from "../messages/Selection.tsx";
import { mayForward } from "./MessageMenu.tsx";
import { Quote } from "./Quote.tsx";
import { Reactions } from "./Reactions.tsx";
import { Ticks } from "./Ticks.tsx";
import { useLongPress } from "./useLongPress.ts";
import { useNames } from "../people/names.tsx";
import { CallLineRow, lineOf } from "../calls/lines/CallLineRow.tsx";

interface MessageRowProps extends Surroundings {
  readonly message: Message;
  readonly conversation: Conversation;
  readonly index: number;
  readonly me: string;
  readonly readUpTo: number;
  readonly deliveredUpTo: number;
  readonly query: string;
  /** It was jumped to, and is shown so for a moment. */
  readonly flash: boolean;
  /** It is the list's member in the tab order. */
  readonly tabbable: boolean;
  readonly now: number;
}

/** A row. It draws again only when something that it shows changed. */
export const MessageRow = memo(function MessageRow(props: MessageRowProps) {
  const { message, conversation, day, unread, flash, tabbable, now } = props;
  const { t, tag } = useSpeech();
  const nameOf = useNames();
  const left = useLeft(message);
  const notice = message.kind === "content" && message.content?.type === "notice" ? message.content : undefined;
  const pin = message.kind === "content" && message.content?.type === "pin" ? message.content : undefined;
  const call = notice && lineOf(message);
  const plain = isEvent(message) || notice !== undefined;
  const actions = useMessageActions();
  const selection = useSelection();
  const selectable = selection !== undefined && !plain && !message.recalled && left > 0 && message.state === "sent" && mayForward(message);
  return (
    <div
      className={`row ${selectable ? "row-selectable" : ""} ${flash ? "row-flash" : ""}`}
      role="listitem"
      tabIndex={tabbable ? 0 : -1}
      data-message=""
      data-key={message.key}
      data-index={props.index}
      data-seq={message.seq}
    >
      {day ? (
        <div className="day-line">
          <span>{dayLabel(message.time, now, tag, t)}</span>
        </div>
      ) : null}
      {unread ? <div className="unread-line">{t.unreadDivider}</div> : null}
      {call ? (
        <CallLineRow message={message} line={call} conversation={conversation} />
      ) : plain ? (
        <div className="event-line">
          <span>
            {notice ? notice.text : eventText(message, props.me, t, nameOf)}
            {pin && !pin.removed ? <PinnedAction seq={pin.seq} /> : null}
          </span>
        </div>
      ) : message.recalled ? (
        <Recalled message={message} conversation={conversation} />
      ) : left === 0 ? (
        <Expired />
      ) : (
        <Bubble {...props} />
      )}
      {selectable ? <SelectBox checked={selection.has(message.key)} onToggle={() => actions.toggleSelected(message)} /> : null}
    </div>
  );
});

function Recalled({ message, conversation }: { message: Message; conversation: Conversation }) {
  const { t } = useSpeech();
  const actions = useMessageActions();
  const nameOf = useNames();
  const text = actions.recalledText(message);
  return (
    <div className="event-line">
      <span>
        {recalledText(message, conversation.kind, t, nameOf)}
        {text === undefined ? null : (
          <button type="button" className="event-action" onClick={() => actions.writeAgain(text)}>
            {t.editAgain}
          </button>
        )}
      </span>
    </div>
  );
}

function Bubble({ message, conversation, first, last, me, readUpTo, deliveredUpTo, query }: MessageRowProps) {
  const { t, tag } = useSpeech();
  const actions = useMessageActions();
  const bubble = useRef<HTMLDivElement>(null);
  const threaded = actions.known !== undefined;
  const name = useNames()(message.sender);
  const group = conversation.kind === "group" && !message.mine;
  const bare = message.kind === "content" && message.content?.type === "sticker";
  const big = bare || message.kind === "text" && message.replyTo === undefined && isBigEmoji(message.text ?? "");
  const files = message.content?.type === "attachments" ? message.content : undefined;
  const looks = !files?.items.some((file) => inAlbum(file) && file.url === "") ? "" : onlyAlbum(files) ? "bubble-media bubble-onmedia" : "bubble-media";
  const owner = useMemo(() => ownerOf(message), [message]);
  const longPress = useLongPress((x, y) => actions.menu(message, placeAt(x, y)));

  const onContextMenu = (event: MouseEvent) => {
    // A link, or a text that is selected, has the browser's own menu.
    if (event.target instanceof Element && event.target.closest("a")) return;
    if (!window.getSelection()?.isCollapsed) return;
    event.preventDefault();
    actions.menu(message, placeAt(event.clientX, event.clientY));
  };

  return (
    <div className={`line ${message.mine ? "line-own" : "line-other"} ${first ? "line-first" : ""} ${last ? "line-last" : ""} ${group ? "line-group" : ""}`}>
      {group ? <span className="line-avatar">{last ? <Avatar id={message.sender} name={name} size="s" /> : null}</span> : null}
      <div
        ref={bubble}
        className={`bubble ${big ? "bubble-big" : ""} ${looks} ${message.state === "failed" ? "bubble-failed" : ""}`}
        onContextMenu={onContextMenu}
        onDoubleClick={(event) => {
          if (event.target instanceof Element && event.target.closest("button, a, [role=slider]")) return;
          window.getSelection()?.removeAllRanges();
          actions.reply(message);
        }}
        {...longPress}
      >
        {group && first ? <span className={`bubble-name hue-${hue(message.sender)}`}>{name}</span> : <span className="visually-hidden">{message.mine ? t.you : name}: </span>}
        <Marks message={message} />
        {message.replyTo === undefined ? null : <Quote conversation={conversation} seq={message.replyTo} />}
        <div className="bubble-text" dir="auto">
          <Covered message={message}>
            <FileOwner value={owner}>
              <Body message={message} query={query} me={me} />
            </FileOwner>
          </Covered>
          <span className="meta">
            {message.edited && message.content?.type !== "poll" ? (
              <button type="button" className="meta-edited" tabIndex={-1} onClick={() => actions.showEdits(message)} title={t.editHistory}>
                {t.edited}
              </button>
            ) : null}
            <EndBadge message={message} />
            <time dateTime={new Date(message.time).toISOString()} title={exact(message.time, tag)}>
              {clock(message.time, tag)}
            </time>
            {message.mine ? <OwnTicks message={message} readUpTo={readUpTo} deliveredUpTo={deliveredUpTo} self={conversation.kind === "self"} /> : null}
          </span>
        </div>
        <Reactions message={message} me={me} />
        {threaded ? null : <ThreadLine message={message} />}
        {message.state === "failed" ? <Failed message={message} /> : null}
      </div>
      {message.state === "sent" ? (
        <span className="line-actions">
          <IconButton icon="emoji" size={19} tabIndex={-1} label={t.react} onClick={(event) => actions.pickReaction(message, placeOf(event.currentTarget))} />
          <IconButton icon="reply" size={19} tabIndex={-1} label={t.reply} onClick={() => actions.reply(message)} />
          <IconButton icon="more" size={19} tabIndex={-1} label={t.messageMenu} aria-haspopup="menu" onClick={(event) => actions.menu(message, placeOf(event.currentTarget))} />
        </span>
      ) : null}
    </div>
  );
}

function Body({ message, query, me }: { message: Message; query: string; me: string }) {
  const { t } = useSpeech();
  if (message.kind === "text") {
    return <SaidText message={message} query={query} me={me} />;
  }
  if (message.kind === "custom" && message.custom) {
    return (
      <span className="bubble-custom">
        {message.custom.summary !== "" ? message.custom.summary : null}
        <code>{message.custom.type}</code>
      </span>
    );
  }
  if (message.content?.type === "poll") return <PollCard message={message} />;
  if (message.content?.type === "topic") return <TopicCard message={message} />;
  if (message.kind === "content" && message.content) return <ContentBody content={message.content} query={query} me={me} />;
  return <em>{t.unreadable}</em>;
}

/** The ticks of a row; what carries files has failed when their transfer has. */
function OwnTicks(props: Parameters<typeof Ticks>[0]) {
  const { conversation, id, state } = props.message;
  const transfer = useTransferOf(conversation, state === "sending" ? id : "");
  return <Ticks {...props} failed={transfer?.state === "failed"} />;
}

function Failed({ message }: { message: Message }) {
  const { t } = useSpeech();
  const actions = useMessageActions();
  return (
    <div className="failed">
      <p>
        <Icon name="alert" size={16} /> {t.failedWhy(message.error ? errorText(message.error.code, t) : t.errGeneric)}
        {message.error ? <span className="failed-hint"> {message.error.hint || message.error.message}</span> : null}
      </p>
      <button type="button" onClick={() => actions.retry(message)}>
        {t.retry}
      </button>
      <button type="button" onClick={() => actions.discard(message)}>
        {t.discard}
      </button>
    </div>
  );
}

/** Keys on a focused row: Enter opens its menu where a bubble is. */
export function rowKey(event: KeyboardEvent, message: Message | undefined, row: HTMLElement, menu: (message: Message, place: ReturnType<typeof placeOf>) => void): boolean {
  if (event.target !== row || !message) return false;
  if (event.key !== "Enter" && event.key !== "ContextMenu" && !(event.key === "F10" && event.shiftKey)) return false;
  const bubble = row.querySelector(".bubble");
  if (!bubble) return false;
  menu(message, placeOf(bubble));
  return true;
}
