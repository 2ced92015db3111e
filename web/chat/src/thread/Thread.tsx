// An open conversation: head, messages, composer, and the dialogs about its
// messages.
import type { Conversation, Message } from "@skein/client";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { go, useRoute } from "../app/route.ts";
import { useWorkspace } from "../app/workspaceContext.ts";
import { JoinBar } from "../calls/lines/JoinBar.tsx";
import { AnnouncementBanner } from "../board/Banner.tsx";
import { Composer, type ComposerHandle } from "../composer/Composer.tsx";
import { EmojiPicker } from "../emoji/EmojiPicker.tsx";
import { conversationName, writtenIn } from "../format/describe.ts";
import { InfoPanel } from "../group/InfoPanel.tsx";
import { ExtensionsDialog } from "../extensions/ExtensionsDialog.tsx";
import { useWords } from "../i18n/context.tsx";
import { useStrings } from "../i18n/strings.ts";
import { useClient, useConversation, useWatch } from "../live/context.tsx";
import { useFileActions } from "../files/actions.ts";
import { useWithPending } from "../files/transfers/pending.ts";
import { ForwardDialog } from "../messages/ForwardDialog.tsx";
import { useOwnActions } from "../own/useOwn.ts";
import { PinnedBar } from "../pins/PinnedBar.tsx";
import { mayPin, pinnable } from "../pins/usePins.ts";
import { strings as pollStrings } from "../polls/strings.ts";
import { VotesDialog } from "../polls/VotesDialog.tsx";
import { SelectionBar, SelectionContext } from "../messages/Selection.tsx";
import { openThread } from "../threadpane/ThreadLine.tsx";
import { ThreadPane } from "../threadpane/ThreadPane.tsx";
import { TopicsBar } from "../threadpane/Topics.tsx";
import { Confirm } from "../ui/Dialog.tsx";
import { Icon } from "../ui/Icon.tsx";
import { Popover, type MenuPlace } from "../ui/Menu.tsx";
import { useCopy, useToasts } from "../ui/Toasts.tsx";
import { MessageActionsContext, type MessageActions } from "./actions.ts";
import { Announcer } from "./Announcer.tsx";
import { EditHistory } from "./EditHistory.tsx";
import { FindBar } from "./FindBar.tsx";
import { indexOfSeq } from "./grouping.ts";
import { MessageList, type MessageListHandle } from "./MessageList.tsx";
import { mayEdit, MessageMenu, type MessageMenuAction } from "./MessageMenu.tsx";
import { keepPlace, keptPlace } from "./places.ts";
import { ReadersDialog } from "./ReadersDialog.tsx";
import { ThreadHead } from "./ThreadHead.tsx";
import { useAttention, useOpenedIsRead, useReading } from "./useReading.ts";
import { useNames } from "../people/names.tsx";

interface At {
  readonly message: Message;
  readonly place: MenuPlace;
  /** Its row is in the pane of the open thread. */
  readonly inPane?: boolean;
}

type Asking = { readonly about: Message; readonly what: "recall" | "edits" | "readers" | "votes" | "closePoll" | "extensions" };

const nobody: ReadonlyMap<string, Message> = new Map();

/** More messages than this are let go when one leaves; the store has them. */
const keepLoaded = 400;

/** The open conversation. */
export function Thread({ conversation }: { conversation: Conversation }) {
  const t = useWords();
  const p = useStrings(pollStrings);
  const copy = useCopy();
  const { fail } = useToasts();
  const client = useClient();
  const own = useOwnActions();
  const { dev, open, showMessage } = useWorkspace();
  const stored = useConversation(conversation);
  const rows = useWithPending(conversation.id, stored.messages, stored.window.atEnd || !stored.window.opened);
  const snapshot = useMemo(() => (rows === stored.messages ? stored : { ...stored, messages: rows }), [stored, rows]);
  const frame = useRef<HTMLElement>(null);
  const fileActions = useFileActions();
  const list = useRef<MessageListHandle>(null);
  const composer = useRef<ComposerHandle>(null);
  const paneComposer = useRef<ComposerHandle>(null);
  const route = useRoute();
  const openRoot = route.at === "chat" && route.id === conversation.id ? route.thread : undefined;
  const [menu, setMenu] = useState<At>();
  const [picker, setPicker] = useState<At>();
  const [asking, setAsking] = useState<Asking>();
  const [info, setInfo] = useState(false);
  const [selected, setSelected] = useState<ReadonlyMap<string, Message>>();
  const [forwarding, setForwarding] = useState<readonly Message[]>();
  const [finding, setFinding] = useState(false);
  const [query, setQuery] = useState("");
  const [atEnd, setAtEnd] = useState(true);
  const [pendingShow, setPendingShow] = useState<{ readonly seq: number; readonly marked: boolean }>();
  const [place] = useState(() => keptPlace(conversation));
  // Opened for the sake of one message: that one is shown, wherever the unread ones begin.
  const aimed = useRef(false);
  const recalledTexts = useRef(new Map<string, string>());
  const name = conversationName(snapshot, t, useNames());
  const [unreadFrom, clearUnreadLine] = useUnreadLine(conversation);
  const reading = useReading(conversation);
  useOpenedIsRead(conversation);
  // The server tells of nobody with whom no conversation is shared yet.
  const begun = snapshot.head.seq > 0;
  const watched = useMemo(() => (snapshot.peer === undefined || !begun ? [] : [snapshot.peer]), [snapshot.peer, begun]);
  useWatch(watched);

  // Opening: at the place where one was, at the first unread message, or at the end.
  useEffect(() => {
    let gone = false;
    const start = async () => {
      const { unread, readSeq } = conversation.snapshot;
      await conversation.open();
      const first = conversation.messages.find((m) => m.seq !== undefined)?.seq ?? 0;
      // What was never read at all, and begins before what is loaded, opens at its end.
      if (gone || aimed.current || unread === 0 || place || (readSeq === 0 && first > 1)) return;
      if (first > readSeq + 1) await conversation.jumpTo(readSeq + 1);
      if (!gone && !aimed.current) setPendingShow({ seq: readSeq + 1, marked: false });
    };
    start().catch(() => undefined);
    const handle = list;
    return () => {
      gone = true;
      const kept = handle.current?.save();
      if (conversation.messages.length > keepLoaded) conversation.unload();
      else if (kept) keepPlace(conversation, kept);
    };
  }, [conversation, place]);

  const show = useCallback(
    async (seq: number) => {
      aimed.current = true;
      const loaded = conversation.messages[indexOfSeq(conversation.messages, seq)];
      if (loaded && list.current?.show(loaded.key, true)) return;
      await conversation.jumpTo(seq);
      setPendingShow({ seq, marked: true });
    },
    [conversation],
  );

  // A message that was jumped to is shown once it has been drawn.
  useEffect(() => {
    if (pendingShow === undefined || snapshot.messages.length === 0) return;
    const nearest = snapshot.messages.find((m) => m.seq !== undefined && m.seq >= pendingShow.seq) ?? snapshot.messages.at(-1);
    if (nearest && list.current?.show(nearest.key, pendingShow.marked)) setPendingShow(undefined);
  }, [pendingShow, snapshot.messages]);

  useEffect(
    () =>
      showMessage.listen((target) => {
        if (target.conversation !== conversation.id || target.thread) return;
        aimed.current = true;
        conversation
          .open()
          .then(() => show(target.seq))
          .catch(fail);
      }),
    [showMessage, conversation, show, fail],
  );

  const toEnd = useCallback(async () => {
    if (!conversation.window.atEnd) await conversation.jumpToLatest();
    list.current?.toEnd(true);
  }, [conversation]);

  const actions = useMemo<MessageActions>(
    () => ({
      // What is on its way has its own buttons.
      menu: (message, at) => {
        if (!isOnItsWay(message)) setMenu({ message, place: at });
      },
      pickReaction: (message, at) => setPicker({ message, place: at }),
      toggleReaction: (message, emoji) => {
        const mine = message.reactions.some((reaction) => reaction.emoji === emoji && reaction.mine);
        conversation.react(message, emoji, { remove: mine }).catch(fail);
      },
      reply: (message) => composer.current?.reply(message),
      toggleSelected: (message) =>
        setSelected((now = nobody) => {
          const next = new Map(now);
          if (!next.delete(message.key)) next.set(message.key, message);
          return next;
        }),
      jump: (seq) => void show(seq).catch(fail),
      retry: (message) => void conversation.retry(message).catch(fail),
      discard: (message) => void conversation.discard(message).catch(fail),
      showEdits: (message) => setAsking({ about: message, what: "edits" }),
      showVotes: (message) => setAsking({ about: message, what: "votes" }),
      closePoll: (message) => setAsking({ about: message, what: "closePoll" }),
      recalledText: (message) => recalledTexts.current.get(message.key),
      writeAgain: (text) => composer.current?.write(text),
    }),
    [conversation, show, fail],
  );

  const paneActions = useMemo<MessageActions>(
    () => ({
      ...actions,
      menu: (message, at) => {
        if (!isOnItsWay(message)) setMenu({ message, place: at, inPane: true });
      },
      reply: (message) => (message.delivery?.threadSeq ? paneComposer.current?.reply(message) : paneComposer.current?.focus()),
      jump: (seq) => {
        // On a phone the pane lies above the conversation.
        if (matchMedia("(max-width: 720px)").matches) go({ at: "chat", id: conversation.id });
        actions.jump(seq);
      },
      writeAgain: (text) => paneComposer.current?.write(text),
    }),
    [actions, conversation],
  );
  const closePane = useCallback(() => go({ at: "chat", id: conversation.id }), [conversation]);
  // There is room for one of thread and details beside the messages.
  useEffect(() => {
    if (openRoot !== undefined) setInfo(false);
  }, [openRoot]);
  const onInfo = () => {
    if (!info && openRoot !== undefined) closePane();
    setInfo(!info);
  };

  const pinOf = (message: Message) =>
    !pinnable(message) || !mayPin(client, conversation, snapshot) ? undefined : client.threads.pinned(conversation).includes(message.seq ?? 0) ? "unpin" : "pin";

  // A developer's feature: elsewhere it is there for who looks at what an app has set.
  const extensionsOf = (message: Message) => client.threads.extensions(message).size || (dev ? 0 : undefined);

  const onAction = ({ message, inPane = false }: At, action: MessageMenuAction) => {
    setMenu(undefined);
    if (action === "reply") (inPane ? paneActions : actions).reply(message);
    else if (action === "thread") openThread(message);
    else if (action === "forward") setForwarding([message]);
    else if (action === "select") setSelected(new Map([[message.key, message]]));
    else if (action === "copy") copy(writtenIn(message));
    else if (action === "copyPicture") fileActions.copyPicture(message);
    else if (action === "save") fileActions.save(message);
    else if (action === "edit") (inPane ? paneComposer : composer).current?.edit(message);
    else if (action === "retry") actions.retry(message);
    else if (action === "discard") actions.discard(message);
    else if (action === "pin") client.threads.pin(message).catch(fail);
    else if (action === "unpin") client.threads.unpin(message).catch(fail);
    else if (action === "hide") own.deleteForMe(conversation, [message]);
    else setAsking({ about: message, what: action });
  };

  const onSeen = useCallback(
    (last: Message | undefined, end: boolean) => {
      setAtEnd(end);
      reading(last, end);
    },
    [reading],
  );

  const closeFind = useCallback(() => {
    setFinding(false);
    setQuery("");
    composer.current?.focus();
  }, []);
  // A reply is not among the messages: it is in its thread.
  const onShowFound = useCallback(
    (seq: number, thread: number | undefined) => {
      if (thread) open({ conversation: conversation.id, seq, thread });
      else show(seq).catch(fail);
    },
    [open, conversation, show, fail],
  );

  const empty = snapshot.window.opened && snapshot.messages.length === 0;
  // A group that does not exist, or that one was never in: the server tells the two apart to nobody.
  const gone = snapshot.kind === "group" && !snapshot.known && snapshot.window.opened && snapshot.messages.length === 0;
  const far = !atEnd || !snapshot.window.atEnd;
  return (
    <MessageActionsContext value={actions}>
     <SelectionContext value={selected}>
      <main ref={frame} className="thread" aria-label={t.messagesOf(name)}>
        <ThreadHead conversation={conversation} snapshot={snapshot} infoOpen={info} onInfo={onInfo} onFind={() => setFinding(true)} />
        <JoinBar conversation={conversation} />
        {finding ? <FindBar conversation={conversation} onQuery={setQuery} onShow={onShowFound} onClose={closeFind} /> : null}
        {snapshot.kind === "group" ? <AnnouncementBanner key={conversation.id} conversation={conversation} snapshot={snapshot} /> : null}
        <PinnedBar key={`pins ${conversation.id}`} conversation={conversation} snapshot={snapshot} onShow={onShowFound} />
        {snapshot.kind === "group" && snapshot.myRole !== undefined ? <TopicsBar key={`topics ${conversation.id}`} conversation={conversation} open={openRoot} /> : null}
        <div className="thread-body">
          <MessageList
            ref={list}
            conversation={conversation}
            snapshot={snapshot}
            label={t.messages}
            unreadFrom={unreadFrom}
            query={query}
            initial={place}
            onSeen={onSeen}
          />
          {gone ? (
            <div className="thread-empty" role="alert">
              <strong>{t.errNotFound}</strong>
            </div>
          ) : empty ? (
            <div className="thread-empty">
              <strong>{t.noMessages}</strong>
              <span>{snapshot.kind === "self" ? t.notesHint : t.noMessagesText}</span>
            </div>
          ) : null}
          {far && !empty ? (
            <button type="button" className="to-end" aria-label={snapshot.unread > 0 ? t.newMessages(snapshot.unread) : t.jumpDown} title={t.jumpDown} onClick={() => void toEnd().catch(fail)}>
              {snapshot.unread > 0 ? <span className="badge">{snapshot.unread > 999 ? "999+" : snapshot.unread}</span> : null}
              <Icon name="down" />
            </button>
          ) : null}
          <Announcer conversation={conversation} label={t.messagesOf(name)} />
        </div>
        {selected ? (
          <SelectionBar
            selected={selected}
            onForward={() => setForwarding([...selected.values()].sort((a, b) => (a.seq ?? 0) - (b.seq ?? 0)))}
            onDelete={() => {
              own.deleteForMe(conversation, [...selected.values()]);
              setSelected(undefined);
            }}
            onClose={() => setSelected(undefined)}
          />
        ) : gone ? null : snapshot.known && snapshot.kind === "group" && snapshot.myRole === undefined ? (
          <p className="composer-left">{t.leftGroup}</p>
        ) : (
          <Composer
            ref={composer}
            frame={frame}
            conversation={conversation}
            snapshot={snapshot}
            name={name}
            onSent={() => {
              clearUnreadLine();
              void toEnd().catch(fail);
            }}
            onLeaveUp={() => list.current?.focus()}
            lastEditable={() => conversation.messages.findLast((m) => mayEdit(m))}
          />
        )}
      </main>
      {openRoot === undefined ? null : (
        <ThreadPane key={openRoot} conversation={conversation} snapshot={snapshot} root={openRoot} actions={paneActions} composer={paneComposer} onClose={closePane} />
      )}
      {info ? <InfoPanel conversation={conversation} snapshot={snapshot} onClose={() => setInfo(false)} /> : null}
      {menu ? (
        <MessageMenu
          message={menu.message}
          place={menu.place}
          snapshot={snapshot}
          readers={conversation.readBy(menu.message).length}
          pin={pinOf(menu.message)}
          extensions={extensionsOf(menu.message)}
          onClose={() => setMenu(undefined)}
          onReact={(emoji) => {
            setMenu(undefined);
            actions.toggleReaction(menu.message, emoji);
          }}
          onMoreEmoji={() => {
            setMenu(undefined);
            setPicker(menu);
          }}
          onAction={(action) => onAction(menu, action)}
        />
      ) : null}
      {picker ? (
        <Popover place={picker.place} label={t.react} className="emoji-popover" align={picker.message.mine ? "end" : "start"} onClose={() => setPicker(undefined)}>
          <EmojiPicker
            onPick={(emoji) => {
              setPicker(undefined);
              actions.toggleReaction(picker.message, emoji);
            }}
          />
        </Popover>
      ) : null}
      {asking?.what === "recall" ? (
        <Confirm
          title={t.recallAsk}
          text={t.recallText}
          action={t.recall}
          danger
          onClose={() => setAsking(undefined)}
          onConfirm={() => {
            setAsking(undefined);
            const { about } = asking;
            if (about.mine && about.text !== undefined) recalledTexts.current.set(about.key, about.text);
            conversation.recall(about).catch(fail);
          }}
        />
      ) : null}
      {asking?.what === "edits" ? <EditHistory conversation={conversation} message={asking.about} onClose={() => setAsking(undefined)} /> : null}
      {asking?.what === "extensions" ? <ExtensionsDialog conversation={conversation} message={asking.about} onClose={() => setAsking(undefined)} /> : null}
      {asking?.what === "readers" ? <ReadersDialog conversation={conversation} message={asking.about} onClose={() => setAsking(undefined)} /> : null}
      {asking?.what === "votes" ? <VotesDialog message={snapshot.messages.find(({ key }) => key === asking.about.key) ?? asking.about} onClose={() => setAsking(undefined)} /> : null}
      {asking?.what === "closePoll" ? (
        <Confirm
          title={p.closePoll}
          text={p.closeText}
          action={p.closePoll}
          danger
          onClose={() => setAsking(undefined)}
          onConfirm={() => {
            setAsking(undefined);
            client.threads.closePoll(asking.about).catch(fail);
          }}
        />
      ) : null}
      {forwarding ? (
        <ForwardDialog
          conversation={conversation}
          messages={forwarding}
          onClose={() => setForwarding(undefined)}
          onDone={() => {
            setForwarding(undefined);
            setSelected(undefined);
          }}
        />
      ) : null}
     </SelectionContext>
    </MessageActionsContext>
  );
}

/** Its files are being sent, or the message with them. */
function isOnItsWay({ state, content }: Message): boolean {
  return state === "sending" && content?.type === "attachments";
}

/**
 * Where the line above the unread messages is: at the first one when the
 * conversation was opened, or the first that came while nobody looked. It goes
 * when this user writes something.
 */
function useUnreadLine(conversation: Conversation): readonly [from: number, clear: () => void] {
  const client = useClient();
  const attention = useAttention();
  const looking = useRef(attention);
  looking.current = attention;
  const [from, setFrom] = useState(() => {
    const { unread, readSeq } = conversation.snapshot;
    return unread > 0 && readSeq > 0 ? readSeq + 1 : 0;
  });
  useEffect(
    () =>
      client.on("message", ({ conversation: where, message }) => {
        if (where !== conversation) return;
        if (!message.mine && !looking.current && message.seq !== undefined) {
          const { seq } = message;
          setFrom((now) => (now === 0 ? seq : now));
        }
      }),
    [client, conversation],
  );
  const clear = useCallback(() => setFrom(0), []);
  return [from, clear];
}
