// The list of messages. A conversation may have a hundred thousand; some forty
// are in the page at a time. Where they stand is decided by Scroller; this
// component carries its answers to the DOM, within one frame.
import type { Conversation, ConversationSnapshot, Message } from "@skein/client";
import { useCallback, useEffect, useImperativeHandle, useLayoutEffect, useReducer, useRef, useState, type KeyboardEvent, type Ref } from "react";
import { flushSync } from "react-dom";
import { readUpTo } from "../format/describe.ts";
import { useDelivered, useWatchDelivered } from "./useDelivered.ts";
import { dayLabel, dayStart } from "../format/time.ts";
import { useSpeech } from "../i18n/context.tsx";
import { useClient, useConnection } from "../live/context.tsx";
import { useNow } from "../live/now.ts";
import { Button, Spinner } from "../ui/Button.tsx";
import { useMessageActions } from "./actions.ts";
import { estimateHeight } from "./estimate.ts";
import { surroundings } from "./grouping.ts";
import { MessageRow, rowKey } from "./MessageRow.tsx";
import { Scroller, type SavedPlace } from "./scroller.ts";

/** What the thread can ask of its list. */
export interface MessageListHandle {
  /** Goes to the newest message that is loaded. */
  toEnd(smooth: boolean): void;
  /** Shows a message, marked for a moment when asked; false when it is not loaded. */
  show(key: string, marked: boolean): boolean;
  /** Where one is, to come back to. */
  save(): SavedPlace;
  /** Puts the focus on the newest message that is seen. */
  focus(): void;
}

interface MessageListProps {
  readonly ref: Ref<MessageListHandle>;
  readonly conversation: Conversation;
  readonly snapshot: ConversationSnapshot;
  readonly label: string;
  /** The first unread seq when the conversation was opened, 0 for none. */
  readonly unreadFrom: number;
  readonly query: string;
  readonly initial: SavedPlace | undefined;
  /** The rows that are seen changed. `last` is the newest of them. */
  readonly onSeen: (last: Message | undefined, atEnd: boolean) => void;
}

/** Scrolling is over when nothing moved for this long. */
const restMs = 140;
const flashMs = 1600;
const maxRounds = 12;

/** The messages of a conversation. */
export function MessageList({ ref, conversation, snapshot, label, unreadFrom, query, initial, onSeen }: MessageListProps) {
  const { t, tag } = useSpeech();
  const client = useClient();
  useWatchDelivered(conversation);
  const actions = useMessageActions();
  // Rows show days, so they are drawn again when the day changes.
  const today = dayStart(useNow("minute"));
  const online = useConnection(client).state === "online";
  const [, draw] = useReducer((n: number) => n + 1, 0);
  const [scroller] = useState(() => new Scroller<Message>(estimateHeight));
  const [flash, setFlash] = useState("");
  const [focused, setFocused] = useState("");
  const view = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const block = useRef<HTMLDivElement>(null);
  const chip = useRef<HTMLDivElement>(null);
  const rest = useRef<ReturnType<typeof setTimeout>>(undefined);
  const resting = useRef(true);
  const rounds = useRef(0);
  const restored = useRef(initial === undefined);

  const { messages, window: loaded } = snapshot;
  scroller.setRows(messages);
  if (!restored.current && messages.length > 0) {
    restored.current = true;
    if (initial) scroller.restore(initial);
  }
  const { start, end } = scroller.range();

  /** Carries what Scroller says to the DOM; draws again when other rows are needed. */
  const place = useCallback(() => {
    const box = view.current;
    const rows = block.current;
    const inner = content.current;
    if (!box || !rows || !inner) return;
    scroller.resized(box.clientHeight);
    const drawn = [...rows.children];
    let first = scroller.heights.rows.length;
    let last = 0;
    for (const child of drawn) {
      if (!(child instanceof HTMLElement)) continue;
      const index = Number(child.dataset["index"]);
      first = Math.min(first, index);
      last = Math.max(last, index + 1);
      scroller.measured(index, child.getBoundingClientRect().height);
    }
    const to = scroller.place(first, resting.current);
    inner.style.height = `${to.height}px`;
    rows.style.transform = `translateY(${to.top}px)`;
    if (to.scrollTop !== undefined && Math.abs(box.scrollTop - to.scrollTop) >= 1) box.scrollTop = to.scrollTop;
    // Each round knows more heights than the one before; a few are enough for
    // any real row. The bound keeps a page of odd ones from ending the app.
    if (scroller.covers({ start: first, end: last })) rounds.current = 0;
    else if (rounds.current < maxRounds) {
      rounds.current++;
      draw();
    }
  }, [scroller]);

  const look = useCallback(() => {
    const seen = scroller.seen();
    // The last anchor may be cut off by the edge; it counts once half of it is in view.
    const last = seen[seen.length - 1];
    onSeen(last ? scroller.heights.rows[last.index] : undefined, scroller.stuck);
  }, [scroller, onSeen]);

  useLayoutEffect(place);
  useEffect(look);

  useEffect(() => {
    const rows = block.current;
    const box = view.current;
    if (!rows || !box) return;
    // Pictures of letters that load late, a window that changes its size, a
    // keyboard that comes up: all before the next frame is shown.
    const observer = new ResizeObserver(place);
    observer.observe(rows);
    observer.observe(box);
    return () => observer.disconnect();
  }, [place]);

  // Pages are asked for while the edge is still two screens away.
  // A load that failed is tried once more when the connection is back.
  const failed = useRef(false);
  useEffect(() => {
    failed.current = false;
  }, [online]);
  useEffect(() => {
    if (!loaded.opened || loaded.loading !== "none") return;
    if (loaded.error) {
      if (!online || failed.current) return;
      failed.current = true;
    }
    const edge = 25;
    // What stops them is said by the window, whose state is drawn.
    if (!loaded.atStart && start < edge) conversation.loadOlder({ limit: 100 }).catch(() => undefined);
    else if (!loaded.atEnd && end > messages.length - edge) conversation.loadNewer({ limit: 100 }).catch(() => undefined);
  }, [conversation, loaded, online, start, end, messages.length]);

  const onScroll = () => {
    const box = view.current;
    if (!box) return;
    scroller.scrolled(box.scrollTop, box.clientHeight);
    rounds.current = 0;
    resting.current = false;
    clearTimeout(rest.current);
    rest.current = setTimeout(() => {
      resting.current = true;
      if (chip.current) chip.current.dataset["shown"] = "false";
      place();
    }, restMs);
    const first = scroller.seen()[0];
    const message = first ? scroller.heights.rows[first.index] : undefined;
    if (chip.current && message && !scroller.stuck) {
      chip.current.textContent = dayLabel(message.time, Date.now(), tag, t);
      chip.current.dataset["shown"] = "true";
    }
    // At once: what is scrolled into view must be there in this very frame.
    if (!scroller.covers({ start, end })) flushSync(draw);
    else look();
  };
  useEffect(() => () => clearTimeout(rest.current), []);

  useImperativeHandle(
    ref,
    () => ({
      toEnd: (smooth) => {
        const box = view.current;
        const near = scroller.fromEnd < 2 * (box?.clientHeight ?? 0);
        if (smooth && near && box && !matchMedia("(prefers-reduced-motion: reduce)").matches) {
          box.scrollTo({ top: box.scrollHeight, behavior: "smooth" });
          return;
        }
        scroller.toEnd();
        draw();
      },
      show: (key, marked) => {
        if (!scroller.toKey(key, 0.3)) return false;
        if (marked) {
          setFlash(key);
          setTimeout(() => setFlash((at) => (at === key ? "" : at)), flashMs);
        }
        draw();
        return true;
      },
      save: () => scroller.save(),
      focus: () => {
        const seen = scroller.seen();
        const key = seen[seen.length - 1]?.key;
        const row = [...(block.current?.children ?? [])].find((child) => child instanceof HTMLElement && child.dataset["key"] === key);
        if (row instanceof HTMLElement) row.focus();
      },
    }),
    [scroller],
  );

  const onKeyDown = (event: KeyboardEvent) => {
    const row = event.target instanceof HTMLElement ? event.target.closest<HTMLElement>("[data-message]") : null;
    if (!row) return;
    const message = messages[Number(row.dataset["index"])];
    if (rowKey(event, message, row, actions.menu)) {
      event.preventDefault();
      return;
    }
    const sibling = event.key === "ArrowUp" ? row.previousElementSibling : event.key === "ArrowDown" ? row.nextElementSibling : undefined;
    if (sibling === undefined || event.target !== row) return;
    event.preventDefault();
    if (sibling instanceof HTMLElement) sibling.focus();
  };

  const upTo = readUpTo(snapshot.readMarkers);
  const delivered = useDelivered(conversation);
  const tabbable = messages.slice(start, end).some((m) => m.key === focused) ? focused : messages[end - 1]?.key;
  return (
    <div className="messages-frame">
      <div className="day-chip" ref={chip} data-shown="false" aria-hidden="true" />
      <div ref={view} className="messages scroll" onScroll={onScroll}>
        <div ref={content} className="messages-content">
          <div className="messages-top">
            <Top loaded={loaded} empty={messages.length === 0} onRetry={() => conversation.loadOlder().catch(() => undefined)} />
          </div>
          <div
            ref={block}
            className="messages-rows"
            role="list"
            aria-label={label}
            onKeyDown={onKeyDown}
            onFocus={(event) => {
              const row = event.target.closest<HTMLElement>("[data-message]");
              if (row?.dataset["key"]) setFocused(row.dataset["key"]);
            }}
          >
            {messages.slice(start, end).map((message, i) => (
              <MessageRow
                key={message.key}
                message={message}
                conversation={conversation}
                index={start + i}
                me={client.userId}
                readUpTo={upTo}
                deliveredUpTo={delivered}
                query={query}
                flash={flash === message.key}
                tabbable={message.key === tabbable}
                now={today}
                {...surroundings(messages, start + i, unreadFrom)}
              />
            ))}
          </div>
        </div>
      </div>
    </div>
  );
}

function Top({ loaded, empty, onRetry }: { loaded: ConversationSnapshot["window"]; empty: boolean; onRetry: () => void }) {
  const { t } = useSpeech();
  if (loaded.loading === "older" || loaded.loading === "open") {
    return (
      <span className="messages-note">
        <Spinner /> {t.loadingOlder}
      </span>
    );
  }
  if (loaded.error && !loaded.atStart) {
    return (
      <Button kind="soft" onClick={onRetry}>
        {t.retry}
      </Button>
    );
  }
  return loaded.opened && loaded.atStart && !empty ? <span className="messages-note">{t.beginning}</span> : null;
}
