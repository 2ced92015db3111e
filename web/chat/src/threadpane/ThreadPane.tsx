// An open thread beside its conversation; on a phone it covers it.
import type { Conversation, ConversationSnapshot, Message } from "@skein/client";
import { useEffect, useLayoutEffect, useMemo, useReducer, useRef, useState, type KeyboardEvent, type RefObject } from "react";
import { Composer, type ComposerHandle } from "../composer/Composer.tsx";
import { useWorkspace } from "../app/workspaceContext.ts";
import { conversationName, previewText, readUpTo } from "../format/describe.ts";
import { dayStart } from "../format/time.ts";
import { useWords } from "../i18n/context.tsx";
import { useStrings } from "../i18n/strings.ts";
import { useClient } from "../live/context.tsx";
import { useNow } from "../live/now.ts";
import { useWithPending } from "../files/transfers/pending.ts";
import { SelectionContext } from "../messages/Selection.tsx";
import { useNames } from "../people/names.tsx";
import { MessageActionsContext, type MessageActions } from "../thread/actions.ts";
import { surroundings } from "../thread/grouping.ts";
import { mayEdit } from "../thread/MessageMenu.tsx";
import { MessageRow, rowKey } from "../thread/MessageRow.tsx";
import { useAttention } from "../thread/useReading.ts";
import { Button, IconButton, Spinner } from "../ui/Button.tsx";
import { describeError, useToasts } from "../ui/Toasts.tsx";
import { TopicMenu } from "./Topics.tsx";
import { strings } from "./strings.ts";
import { useThread, useThreadMarks } from "./useReplies.ts";

/** A message to show. Another object asks again. */
interface Aim {
  readonly seq: number;
}

interface ThreadPaneProps {
  readonly conversation: Conversation;
  readonly snapshot: ConversationSnapshot;
  readonly root: number;
  /** What a row of the pane asks for. */
  readonly actions: MessageActions;
  readonly composer: RefObject<ComposerHandle | null>;
  readonly onClose: () => void;
}

/** The pane. */
export function ThreadPane({ conversation, snapshot, root: seq, actions, composer, onClose }: ThreadPaneProps) {
  const t = useWords();
  const s = useStrings(strings);
  const client = useClient();
  const [attempt, again] = useReducer((n: number) => n + 1, 0);
  const { view, state } = useThread(conversation, seq, attempt);
  const { root } = state;
  const replies = useWithPending(conversation.id, state.replies, state.atEnd, seq);
  const frame = useRef<HTMLElement>(null);
  useThreadMarks(conversation.id);
  const nameOf = useNames();
  const name = conversationName(snapshot, t, nameOf);
  const topic = root?.content?.type === "topic" ? root.content : undefined;
  const title = topic ? [topic.icon, topic.name].filter(Boolean).join(" ") : s.thread;

  // What is seen while somebody looks has been read.
  const attention = useAttention();
  useEffect(() => {
    if (attention && !state.loading) view?.read();
  }, [attention, view, state]);

  // What was found, or pinned, is shown once those around it have been read.
  const [wanted, setWanted] = useState<Aim>();
  const [aim, setAim] = useState<Aim>();
  const { showMessage } = useWorkspace();
  useEffect(
    () =>
      showMessage.listen((target) => {
        if (target.conversation !== conversation.id || target.thread !== seq) return;
        setWanted({ seq: target.seq });
      }),
    [showMessage, conversation, seq],
  );
  useEffect(() => {
    if (!wanted || !view) return;
    let gone = false;
    void view.jumpTo(wanted.seq).then(() => {
      if (!gone) setAim(wanted);
    });
    return () => {
      gone = true;
    };
  }, [wanted, view]);

  // A quote and a jump look among the replies first.
  const list = useRef<HTMLDivElement>(null);
  const known = useRef(replies);
  known.current = replies;
  const own = useMemo<MessageActions>(
    () => ({
      ...actions,
      known: (of) => known.current.find((reply) => reply.seq === of),
      jump: (to) => {
        if (to === seq || known.current.some((reply) => reply.seq === to)) setAim({ seq: to });
        else actions.jump(to);
      },
    }),
    [actions, seq],
  );

  const member = snapshot.kind !== "group" || snapshot.myRole !== undefined;
  const closed = topic?.closed === true && !client.groups.may(conversation, "topics");
  const thread = useMemo(() => view && { root: seq, sendLocal: view.sendLocal.bind(view) }, [view, seq]);
  return (
    <aside
      ref={frame}
      className="info thread-pane"
      aria-label={title}
      onKeyDown={(event) => {
        if (event.key !== "Escape" || event.defaultPrevented) return;
        event.stopPropagation();
        onClose();
      }}
    >
      <header className="info-head">
        <IconButton icon="back" className="thread-pane-back" label={t.back} onClick={onClose} />
        <div className="thread-pane-title">
          <h2 dir="auto">{title}</h2>
          <span>{name}</span>
        </div>
        {root && member ? <Follow root={root} /> : null}
        {root && topic && member ? <TopicMenu conversation={conversation} root={root} /> : null}
        <IconButton icon="close" className="thread-pane-close" label={s.close} onClick={onClose} />
      </header>
      <MessageActionsContext value={own}>
        <SelectionContext value={undefined}>
          <Replies ref={list} conversation={conversation} root={topic ? undefined : root} replies={replies} loading={state.loading} atStart={state.atStart} atEnd={state.atEnd} aim={aim} readUpTo={readUpTo(snapshot.readMarkers)} onOlder={() => void view?.loadOlder()} onNewer={() => void view?.loadNewer()}>
            {state.error ? (
              <p className="info-note" role="alert">
                {state.error.code === "not_found" ? s.gone : describeError(state.error, t).text}
                {state.error.code === "not_found" ? null : <Button onClick={replies.length > 0 ? () => void view?.loadOlder() : again}>{t.retry}</Button>}
              </p>
            ) : null}
            {topic?.closed ? <p className="info-note hint">{s.topicClosedText}</p> : null}
          </Replies>
        </SelectionContext>
      </MessageActionsContext>
      {root && thread && member && !closed && !root.recalled ? (
        <Composer
          ref={composer}
          frame={frame}
          conversation={conversation}
          snapshot={snapshot}
          thread={thread}
          name={topic ? title : previewText(root, t).slice(0, 60)}
          onSent={() => {
            const box = list.current;
            requestAnimationFrame(() => box?.scrollTo({ top: box.scrollHeight }));
          }}
          onLeaveUp={() => list.current?.querySelector<HTMLElement>("[data-message]:last-of-type")?.focus()}
          lastEditable={() => replies.findLast((reply) => mayEdit(reply))}
        />
      ) : null}
    </aside>
  );
}

function Follow({ root }: { root: Message }) {
  const s = useStrings(strings);
  const { threads } = useClient();
  const { fail } = useToasts();
  const following = threads.replies(root)?.following;
  if (following === undefined) return null;
  return (
    <button
      type="button"
      className="icon-button thread-follow"
      aria-pressed={following}
      aria-label={s.follow}
      title={following ? s.unfollow : s.follow}
      onClick={() => void threads.follow(root.conversation, root.seq ?? 0, !following).catch(fail)}
    >
      <Bell off={!following} />
    </button>
  );
}

function Bell({ off }: { off: boolean }) {
  return (
    <svg className="icon" width={22} height={22} viewBox="0 0 24 24" fill={off ? "none" : "currentColor"} stroke="currentColor" strokeWidth={1.8} strokeLinecap="round" strokeLinejoin="round" aria-hidden="true">
      <path d="M6.5 16.5V11a5.5 5.5 0 0 1 11 0v5.5M5 16.5h14" />
      <path fill="none" d="M10.3 19.5a2 2 0 0 0 3.4 0" />
    </svg>
  );
}

interface RepliesProps {
  readonly ref: RefObject<HTMLDivElement | null>;
  readonly conversation: Conversation;
  readonly root: Message | undefined;
  readonly replies: readonly Message[];
  readonly loading: boolean;
  readonly atStart: boolean;
  readonly atEnd: boolean;
  readonly aim: Aim | undefined;
  readonly readUpTo: number;
  readonly onOlder: () => void;
  readonly onNewer: () => void;
  readonly children: React.ReactNode;
}

/** How long what was jumped to is marked. */
const flashMs = 1600;

/** Closer to the end than this, one stays there when a reply comes. */
const nearEnd = 80;

function Replies({ ref, conversation, root, replies, loading, atStart, atEnd, aim, readUpTo, onOlder, onNewer, children }: RepliesProps) {
  const t = useWords();
  const s = useStrings(strings);
  const client = useClient();
  const today = dayStart(useNow("minute"));
  const place = useRef({ first: "", height: 0, stuck: true });
  const [focused, setFocused] = useState("");
  const [shown, setShown] = useState<Aim>();
  const [flash, setFlash] = useState("");

  // Older replies push what is seen down, and newer ones lead to the end where one is at the end.
  useLayoutEffect(() => {
    const box = ref.current;
    if (!box) return;
    const before = place.current;
    const first = replies[0]?.key ?? "";
    if (before.stuck) box.scrollTop = box.scrollHeight;
    else if (before.first !== "" && before.first !== first) box.scrollTop += box.scrollHeight - before.height;
    place.current = { first, height: box.scrollHeight, stuck: before.stuck };
  }, [ref, replies, root, loading]);

  // The keyboard of a phone, or a composer that grows, takes room.
  useEffect(() => {
    const box = ref.current;
    if (!box) return;
    const observer = new ResizeObserver(() => {
      if (place.current.stuck) box.scrollTop = box.scrollHeight;
    });
    observer.observe(box);
    return () => observer.disconnect();
  }, [ref]);

  const all = root ? [root, ...replies] : replies;
  const aimed = !aim || shown === aim ? undefined : (all.find((message) => (message.seq ?? 0) >= aim.seq) ?? all.at(-1));
  useLayoutEffect(() => {
    if (!aim || !aimed) return;
    place.current.stuck = false;
    ref.current?.querySelector(`[data-key="${CSS.escape(aimed.key)}"]`)?.scrollIntoView({ block: "center" });
    setShown(aim);
    setFlash(aimed.key);
  }, [ref, aim, aimed]);
  useEffect(() => {
    if (flash === "") return;
    const timer = setTimeout(() => setFlash(""), flashMs);
    return () => clearTimeout(timer);
  }, [flash, shown]);

  const tabbable = all.some((message) => message.key === focused) ? focused : all.at(-1)?.key;
  const row = (message: Message, index: number) => (
    <MessageRow
      key={message.key}
      message={message}
      conversation={conversation}
      index={index}
      me={client.userId}
      // The marks of the conversation say nothing of the replies.
      readUpTo={message === root ? readUpTo : 0}
      deliveredUpTo={0}
      query=""
      flash={message.key === flash}
      tabbable={message.key === tabbable}
      now={today}
      {...(message === root ? surroundings([root], 0, 0) : surroundings(replies, replies.indexOf(message), 0))}
      day={surroundings(all, index, 0).day}
    />
  );
  const onKeyDown = (event: KeyboardEvent, menu: MessageActions["menu"]) => {
    const at = event.target instanceof HTMLElement ? event.target.closest<HTMLElement>("[data-message]") : null;
    if (!at) return;
    if (rowKey(event, all[Number(at.dataset["index"])], at, menu)) {
      event.preventDefault();
      return;
    }
    if (event.target !== at || (event.key !== "ArrowUp" && event.key !== "ArrowDown")) return;
    event.preventDefault();
    const rows = [...(ref.current?.querySelectorAll<HTMLElement>("[data-message]") ?? [])];
    rows[rows.indexOf(at) + (event.key === "ArrowUp" ? -1 : 1)]?.focus();
  };
  return (
    <MessageActionsContext.Consumer>
      {(actions) => (
        <div
          ref={ref}
          className="thread-replies scroll"
          onScroll={(event) => {
            const box = event.currentTarget;
            place.current.stuck = box.scrollHeight - box.scrollTop - box.clientHeight < nearEnd;
          }}
        >
          <div role="list" aria-label={s.thread} onKeyDown={(event) => actions && onKeyDown(event, actions.menu)} onFocus={(event) => setFocused(event.target.closest<HTMLElement>("[data-message]")?.dataset["key"] ?? "")}>
            {root ? row(root, 0) : null}
            {root && replies.length > 0 ? <div className="thread-rule" role="presentation" /> : null}
            {!loading && !atStart && replies.length > 0 ? (
              <div role="listitem" className="thread-older">
                <Button kind="soft" onClick={onOlder}>
                  {s.older}
                </Button>
              </div>
            ) : null}
            {replies.map((reply, i) => row(reply, root ? i + 1 : i))}
            {!loading && !atEnd ? (
              <div role="listitem" className="thread-older">
                <Button kind="soft" onClick={onNewer}>
                  {s.newer}
                </Button>
              </div>
            ) : null}
          </div>
          {loading ? (
            <p className="info-note">
              <Spinner /> <span className="visually-hidden">{t.loadingOlder}</span>
            </p>
          ) : null}
          {!loading && replies.length === 0 ? <p className="info-note hint">{s.noReplies}</p> : null}
          {children}
        </div>
      )}
    </MessageActionsContext.Consumer>
  );
}
