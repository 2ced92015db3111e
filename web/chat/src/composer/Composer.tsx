// Where messages are written. Enter sends, Shift+Enter makes a line, Arrow Up
// in the empty field edits the last own message; an input method's keys are
// its own.
import type { Conversation, ConversationSnapshot, Message, Outgoing, OutgoingContent } from "@skein/client";
import { useCallback, useEffect, useImperativeHandle, useLayoutEffect, useRef, useState, type KeyboardEvent, type Ref, type RefObject } from "react";
import { EmojiPicker } from "../emoji/EmojiPicker.tsx";
import { writtenIn } from "../format/describe.ts";
import { exact } from "../format/time.ts";
import { useSpeech } from "../i18n/context.tsx";
import { useStrings } from "../i18n/strings.ts";
import { useClient, useDrafts } from "../live/context.tsx";
import { useFiles } from "../files/FilesContext.tsx";
import type { NewFile } from "../files/sdk.ts";
import { DropZone } from "../files/send/DropZone.tsx";
import { filesOf } from "../files/send/filesOf.ts";
import { strings as sendStrings } from "../files/send/strings.ts";
import { SendFiles } from "../files/send/SendFiles.tsx";
import type { Recording } from "../files/voice/recorder.ts";
import { VoiceButton } from "../files/voice/VoiceButton.tsx";
import { AttachMenu } from "../messages/AttachMenu.tsx";
import { callsIn, groups, wordOf } from "../messages/calls.ts";
import { applyMark, hasMarks, markOf, type Mark } from "../messages/formatting.ts";
import { SendMenu, type HowToSend } from "../messages/SendMenu.tsx";
import { Toolbar } from "../messages/Toolbar.tsx";
import type { Ending } from "../timed/ends.ts";
import { strings as timedStrings } from "../timed/strings.ts";
import { WhenMenu } from "../timed/WhenMenu.tsx";
import { IconButton } from "../ui/Button.tsx";
import { placeOf, Popover, type MenuPlace } from "../ui/Menu.tsx";
import { useToasts } from "../ui/Toasts.tsx";
import { ComposerContext } from "./ComposerContext.tsx";
import { composerKey } from "./keys.ts";
import { MentionList } from "./MentionList.tsx";
import { insertMention, mentionAt, mentionedIn, mentionMatches } from "./mentions.ts";
import { ComposerGate } from "../groups/ComposerGate.tsx";
import { useBlock } from "../groups/useGroup.ts";
import { useGroupMembers } from "./useGroupMembers.ts";

/** What the thread can ask of the composer. */
export interface ComposerHandle {
  reply(message: Message): void;
  edit(message: Message): void;
  /** Adds a text to what is typed. */
  write(text: string): void;
  focus(): void;
}

interface ComposerProps {
  readonly ref: Ref<ComposerHandle>;
  readonly conversation: Conversation;
  readonly snapshot: ConversationSnapshot;
  readonly name: string;
  /** Where one may drop files. */
  readonly frame: RefObject<HTMLElement | null>;
  readonly onSent: () => void;
  /** The focus wants to go up into the messages. */
  readonly onLeaveUp: () => void;
  /** The newest own message that can be edited. */
  readonly lastEditable: () => Message | undefined;
  /** The thread in which it writes, undefined for the conversation itself. A thread keeps no draft. */
  readonly thread?: { readonly root: number; readonly sendLocal: (message: Outgoing) => Message } | undefined;
}

/** What the server takes; it tells longer ones apart by its own limit. */
const maxBytes = 16_384;
const draftMs = 400;

function touchKeyboard(): boolean {
  return matchMedia("(hover: none) and (pointer: coarse)").matches;
}

/** The composer of a conversation. */
export function Composer({ ref, conversation, snapshot, name, frame, onSent, onLeaveUp, lastEditable, thread }: ComposerProps) {
  const { t, tag, language } = useSpeech();
  const when = useStrings(timedStrings);
  const client = useClient();
  const drafts = useDrafts();
  const { fail, show } = useToasts();
  const shared = useFiles();
  const [draft] = useState(() => (thread ? undefined : drafts.get(conversation.id)));
  const [text, setText] = useState(draft?.text ?? "");
  const [replyTo, setReplyTo] = useState<Message | number | undefined>(draft?.replyTo);
  const [editing, setEditing] = useState<Message>();
  const [emojiPlace, setEmojiPlace] = useState<MenuPlace>();
  const [mention, setMention] = useState<{ readonly query: string; readonly picked: number }>();
  const [ending, setEnding] = useState<Ending>({});
  const field = useRef<HTMLTextAreaElement>(null);
  const composedAt = useRef(-1000);
  /** Where the caret is to be once the text that is set is drawn. */
  const caret = useRef<[start: number, end: number]>(undefined);
  const [selecting, setSelecting] = useState(false);
  const [attaching, setAttaching] = useState<readonly File[]>();
  const [recording, setRecording] = useState(false);
  const send = useStrings(sendStrings);
  const members = useGroupMembers(conversation, snapshot, mention !== undefined || text.includes("@"));
  const block = useBlock(conversation, snapshot);
  const waits = block?.reason === "slow_mode" && editing === undefined;
  const roles = client.groups.settings(conversation)?.roles ?? [];
  const many = conversation.kind === "group" ? [...roles.map((role) => role.name), ...groups.flatMap((group) => [wordOf(group, language), ...(mention?.query ? group.words : [])])] : [];
  const words = many.filter((word, i) => many.indexOf(word) === i && !members.includes(word));
  const matches = mention ? mentionMatches([...members.filter((m) => m !== client.userId), ...words], mention.query, 8) : [];

  const focus = useCallback(() => field.current?.focus(), []);

  // On a desktop one can type at once; on a phone the keyboard would cover what one came to read.
  useEffect(() => {
    if (!touchKeyboard()) focus();
  }, [focus]);

  useLayoutEffect(() => {
    const element = field.current;
    if (!element) return;
    // With the text, or a key that follows at once is typed at the wrong place.
    if (caret.current) element.setSelectionRange(...caret.current);
    caret.current = undefined;
    element.style.height = "auto";
    element.style.height = `${Math.min(element.scrollHeight, 240)}px`;
  }, [text]);

  // A screenshot is pasted wherever the focus is in the conversation, but not into another field.
  const pasteable = !editing && !block;
  useEffect(() => {
    const element = frame.current;
    if (!pasteable || !element) return;
    const onPaste = (event: ClipboardEvent) => {
      const at = event.target instanceof HTMLElement ? event.target : document.body;
      const other = at.closest("input, textarea, dialog, [contenteditable]");
      const here = at === document.body ? element.matches("main") : element.contains(at);
      const files = filesOf(event.clipboardData, send.pasted, new Date());
      // A text that was copied with its looks brings a picture of itself along.
      if (!here || (other && other !== field.current) || files.length === 0 || event.clipboardData?.types.includes("text/plain")) return;
      event.preventDefault();
      setAttaching(files);
    };
    document.addEventListener("paste", onPaste);
    return () => document.removeEventListener("paste", onPaste);
  }, [frame, pasteable, send]);

  // A draft is what is typed for a new message, not an edit.
  const toKeep = editing ? undefined : { text, replyTo: typeof replyTo === "number" ? replyTo : replyTo?.seq };
  const latest = useRef(toKeep);
  latest.current = toKeep ?? latest.current;
  const keeps = thread === undefined;
  useEffect(() => {
    if (!keeps) return;
    const timer = setTimeout(() => drafts.set(conversation.id, latest.current), draftMs);
    return () => clearTimeout(timer);
  }, [drafts, conversation, text, replyTo, editing, keeps]);
  useEffect(() => {
    const keep = () => {
      if (keeps) drafts.set(conversation.id, latest.current);
    };
    window.addEventListener("pagehide", keep);
    return () => {
      window.removeEventListener("pagehide", keep);
      keep();
      conversation.setTyping(false);
    };
  }, [drafts, conversation, keeps]);

  // What is typed on another device shows here, but never under the fingers of who types here.
  useEffect(
    () =>
      drafts.subscribe((id, from) => {
        if (!keeps || from !== "elsewhere" || id !== conversation.id || editing || document.activeElement === field.current) return;
        const taken = drafts.get(id);
        latest.current = { text: taken?.text ?? "", replyTo: taken?.replyTo };
        setText(taken?.text ?? "");
        setReplyTo(taken?.replyTo);
      }),
    [drafts, conversation, editing, keeps],
  );

  const endEdit = useCallback(() => {
    setEditing(undefined);
    setText(latest.current?.text ?? "");
  }, []);

  const startEdit = useCallback(
    (message: Message) => {
      setEditing(message);
      setText(writtenIn(message));
      setMention(undefined);
      focus();
      requestAnimationFrame(() => field.current?.setSelectionRange(field.current.value.length, field.current.value.length));
    },
    [focus],
  );

  useImperativeHandle(
    ref,
    () => ({
      reply: (message) => {
        if (message.seq === undefined) return;
        if (editing) endEdit();
        setReplyTo(message);
        focus();
      },
      edit: startEdit,
      write: (added) => {
        setText((now) => (now === "" ? added : `${now}\n${added}`));
        focus();
      },
      focus,
    }),
    [editing, endEdit, startEdit, focus],
  );

  const over = text.length > maxBytes / 4 ? new TextEncoder().encode(text.trim()).length - maxBytes : 0;

  /** What the field holds, as it is to be read. */
  const written = (body: string) =>
    client.messages.text(body, { format: hasMarks(body) ? "markdown" : undefined, calls: conversation.kind === "group" ? callsIn(body, members, roles) : undefined });

  const sent = () => {
    setReplyTo(undefined);
    onSent();
  };
  /** What answers a message for some is for those. */
  const forWhom = () => (typeof replyTo === "object" ? client.messages.replyOptions(replyTo) : {});
  const attach = (content: OutgoingContent) => {
    try {
      (thread ?? conversation).sendLocal({ ...content, options: { ...ending, ...forWhom() }, ...(replyTo === undefined ? {} : { replyTo }) });
    } catch (error) {
      fail(error);
      return;
    }
    sent();
  };

  const sendFiles = (files: readonly NewFile[], caption: string) => {
    try {
      const { content } = written(caption);
      const transfer = client.files.send(conversation, {
        files,
        caption,
        ...(content ? { content } : {}),
        mentions: mentionedIn(caption, members),
        options: { ...ending, ...forWhom(), ...(thread ? { threadSeq: thread.root } : {}) },
        ...(replyTo === undefined ? {} : { replyTo }),
      });
      shared.local.note(transfer, files);
    } catch (error) {
      fail(error);
      return;
    }
    sent();
  };
  const sendVoice = ({ blob, durationMs, waveform }: Recording) => {
    const name = `voice-${new Date().toISOString().slice(0, 19).replaceAll(":", ".")}.${blob.type.split("/")[1] ?? "webm"}`;
    sendFiles([{ blob, name, voice: { durationMs, waveform } }], "");
    focus();
  };

  const outgoing = (body: string, how: HowToSend = {}) => ({
    ...written(body),
    mentions: mentionedIn(body, members),
    options: { ...ending, ...forWhom(), ...how, ...(thread ? { threadSeq: thread.root } : {}) },
    ...(replyTo === undefined ? {} : { replyTo }),
  });

  const clear = () => {
    conversation.setTyping(false);
    setText("");
    setMention(undefined);
    latest.current = { text: "", replyTo: undefined };
    if (keeps) drafts.set(conversation.id, undefined);
  };

  const submit = (how?: HowToSend) => {
    const body = text.trim();
    if (over > 0) return;
    if (editing) {
      const files = editing.content?.type === "attachments" ? editing.content.items : undefined;
      if (body === "" && !files) return;
      if (body !== writtenIn(editing)) {
        const format = hasMarks(body) ? "markdown" : undefined;
        const next = files ? client.messages.attachments(files, body, { format }) : written(body);
        conversation.edit(editing, { ...next, mentions: mentionedIn(body, members), ...(editing.replyTo === undefined ? {} : { replyTo: editing.replyTo }) }).catch(fail);
      }
      endEdit();
      return;
    }
    if (body === "" || block) return;
    try {
      (thread ?? conversation).sendLocal(outgoing(body, how));
    } catch (error) {
      fail(error);
      return;
    }
    clear();
    sent();
  };

  const schedule = async (at: Date) => {
    await client.timed.schedule(conversation, outgoing(text.trim()), at);
    clear();
    setReplyTo(undefined);
    show({ text: when.scheduled(exact(at.getTime(), tag)) });
  };

  const pickMention = (user: string) => {
    const element = field.current;
    if (!element) return;
    const next = insertMention(text, element.selectionStart, user);
    caret.current = [next.caret, next.caret];
    setText(next.text);
    setMention(undefined);
    focus();
  };

  const mark = (what: Mark) => {
    const element = field.current;
    if (!element) return;
    const next = applyMark({ text, start: element.selectionStart, end: element.selectionEnd }, what);
    caret.current = [next.start, next.end];
    setText(next.text);
    focus();
  };

  const onKeyDown = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    const wanted = event.nativeEvent.isComposing ? undefined : markOf(event.nativeEvent);
    if (wanted) {
      event.preventDefault();
      event.stopPropagation();
      mark(wanted);
      return;
    }
    const action = composerKey(event.nativeEvent, {
      empty: text === "",
      cancellable: editing !== undefined || replyTo !== undefined,
      mentioning: matches.length > 0,
      touch: touchKeyboard(),
      // Safari tells the end of the composition a moment before the key that ended it.
      justComposed: event.nativeEvent.timeStamp - composedAt.current < 30,
    });
    if (action === "none") return;
    event.preventDefault();
    event.stopPropagation();
    const picked = mention?.picked ?? 0;
    switch (action) {
      case "send":
        submit();
        break;
      case "editLast": {
        const last = lastEditable();
        if (last) startEdit(last);
        else onLeaveUp();
        break;
      }
      case "cancel":
        if (editing) endEdit();
        else setReplyTo(undefined);
        break;
      case "mentionNext":
      case "mentionPrevious": {
        const by = action === "mentionNext" ? 1 : matches.length - 1;
        setMention((now) => now && { ...now, picked: (picked + by) % matches.length });
        break;
      }
      case "mentionPick": {
        const user = matches[picked];
        if (user !== undefined) pickMention(user);
        break;
      }
      case "mentionClose":
        setMention(undefined);
        break;
    }
  };

  const onChange = (value: string, caret: number) => {
    setText(value);
    if (!editing) conversation.setTyping(value.trim() !== "");
    const at = conversation.kind === "group" ? mentionAt(value, caret) : undefined;
    setMention(at ? { query: at.query, picked: 0 } : undefined);
  };

  const insertAtCaret = (added: string) => {
    const element = field.current;
    const start = element?.selectionStart ?? text.length;
    const end = element?.selectionEnd ?? text.length;
    caret.current = [start + added.length, start + added.length];
    setText(text.slice(0, start) + added + text.slice(end));
    focus();
  };

  const ready = (text.trim() !== "" || editing?.content?.type === "attachments") && over <= 0 && !waits;
  const speaks = text.trim() === "" && !editing && !waits;
  if (block && block.reason !== "slow_mode") return <ComposerGate conversation={conversation} snapshot={snapshot} block={block} />;
  return (
    <div className="composer">
      {waits ? <ComposerGate conversation={conversation} snapshot={snapshot} block={block} /> : editing ? null : <DropZone over={frame} name={name} onFiles={setAttaching} />}
      {matches.length > 0 ? <MentionList users={matches} members={members} roles={roles} picked={mention?.picked ?? 0} onPick={pickMention} /> : null}
      <ComposerContext
        conversation={conversation}
        replyTo={editing ? undefined : replyTo}
        editing={editing}
        onCancel={() => {
          if (editing) endEdit();
          else setReplyTo(undefined);
          focus();
        }}
      />
      {selecting && text !== "" ? <Toolbar onMark={mark} /> : null}
      <div className="composer-row" data-recording={recording}>
        {editing ? null : <AttachMenu conversation={conversation} onSend={attach} onFiles={setAttaching} onClose={focus} />}
        <IconButton
          icon="emoji"
          size={24}
          label={t.emoji}
          aria-haspopup="dialog"
          aria-expanded={emojiPlace !== undefined}
          onClick={(event) => setEmojiPlace(placeOf(event.currentTarget))}
        />
        <textarea
          ref={field}
          className="composer-field scroll"
          rows={1}
          value={text}
          dir="auto"
          placeholder={t.write}
          aria-label={editing ? t.editing : t.writeTo(name)}
          aria-invalid={over > 0 || undefined}
          enterKeyHint={touchKeyboard() ? "enter" : "send"}
          onChange={(event) => onChange(event.target.value, event.target.selectionStart)}
          onKeyDown={onKeyDown}
          onCompositionEnd={(event) => (composedAt.current = event.nativeEvent.timeStamp)}
          onSelect={(event) => setSelecting(event.currentTarget.selectionStart !== event.currentTarget.selectionEnd)}
          onBlur={() => {
            setSelecting(false);
            conversation.setTyping(false);
          }}
        />
        {over > 0 ? (
          <span className="composer-over" role="alert">
            {t.tooLong(over)}
          </span>
        ) : null}
        {editing ? null : <WhenMenu conversation={conversation} ending={ending} onEnding={setEnding} ready={ready} onSchedule={schedule} />}
        {editing ? null : <SendMenu conversation={conversation} snapshot={snapshot} disabled={!ready} onSend={submit} />}
        {speaks ? (
          <VoiceButton onActive={setRecording} onSend={sendVoice} />
        ) : (
          <IconButton
            icon={editing ? "check" : "send"}
            size={24}
            className="composer-send"
            label={editing ? t.save : t.send}
            disabled={!ready}
            // The keyboard of a phone stays open: the field keeps the focus.
            onPointerDown={(event) => event.preventDefault()}
            onClick={() => submit()}
          />
        )}
      </div>
      {attaching ? (
        <SendFiles
          files={attaching}
          name={name}
          caption={text}
          onClose={() => {
            setAttaching(undefined);
            focus();
          }}
          onSend={(files, caption) => {
            setAttaching(undefined);
            sendFiles(files, caption);
            clear();
            focus();
          }}
        />
      ) : null}
      {emojiPlace ? (
        <Popover
          place={emojiPlace}
          label={t.emoji}
          className="emoji-popover"
          onClose={() => {
            setEmojiPlace(undefined);
            focus();
          }}
        >
          <EmojiPicker
            onPick={(emoji) => {
              setEmojiPlace(undefined);
              insertAtCaret(emoji);
            }}
          />
        </Popover>
      ) : null}
    </div>
  );
}
