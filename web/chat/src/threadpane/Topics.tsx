// The topics of a community: a bar above its messages, and what can be done with one.
import type { Conversation, Message } from "@skein/client";
import { useCallback, useEffect, useState, type FormEvent } from "react";
import { go } from "../app/route.ts";
import { useWords } from "../i18n/context.tsx";
import { useStrings } from "../i18n/strings.ts";
import { useClient } from "../live/context.tsx";
import { useGroup } from "../groups/useGroup.ts";
import { Button, IconButton } from "../ui/Button.tsx";
import { Dialog } from "../ui/Dialog.tsx";
import { MenuItem, placeOf, Popover, type MenuPlace } from "../ui/Menu.tsx";
import { useToasts } from "../ui/Toasts.tsx";
import { strings } from "./strings.ts";
import { openThread } from "./ThreadLine.tsx";
import { merged, useReplies } from "./useReplies.ts";

const bySeq = (a: Message, b: Message) => (a.seq ?? 0) - (b.seq ?? 0);

/** The bar; nothing in a group of another type. */
export function TopicsBar({ conversation, open }: { conversation: Conversation; open: number | undefined }) {
  const { settings } = useGroup(conversation);
  return settings?.type === "community" ? <Bar conversation={conversation} open={open} /> : null;
}

function Bar({ conversation, open }: { conversation: Conversation; open: number | undefined }) {
  const s = useStrings(strings);
  const client = useClient();
  const { fail } = useToasts();
  const { may } = useGroup(conversation);
  const [topics, setTopics] = useState<readonly Message[]>([]);
  const [next, setNext] = useState<number>();
  const [creating, setCreating] = useState(false);
  const load = useCallback(
    (after?: number) =>
      client.threads.topics(conversation, { after }).then((page) => {
        setTopics((now) => merged(now, page.topics, bySeq));
        setNext(page.next);
      }),
    [client, conversation],
  );
  useEffect(() => {
    // Without a connection there is no bar; it is asked again when there is one.
    const ask = () => void load().catch(() => undefined);
    ask();
    const hear = ({ message }: { readonly message: Message }) => {
      if (message.conversation === conversation.id && message.content?.type === "topic" && message.seq) setTopics((now) => merged(now, [message], bySeq));
    };
    const off = [client.on("message", hear), client.on("messageUpdated", hear), client.on("state", ({ state }) => state === "online" && ask())];
    return () => off.forEach((stop) => stop());
  }, [client, conversation, load]);

  const shown = topics.filter((topic) => !topic.recalled);
  if (shown.length === 0 && !may("topics")) return null;
  return (
    <nav className="topics-bar scroll" aria-label={s.topics}>
      {shown.map((topic) => (
        <TopicChip key={topic.key} topic={topic} open={topic.seq === open} />
      ))}
      {next === undefined ? null : (
        <button type="button" className="chip" onClick={() => void load(next).catch(fail)}>
          {s.more}
        </button>
      )}
      {may("topics") ? <IconButton icon="plus" size={20} label={s.newTopic} onClick={() => setCreating(true)} /> : null}
      {creating ? (
        <TopicDialog
          title={s.newTopic}
          action={s.create}
          onClose={() => setCreating(false)}
          onSave={async (topic) => {
            const seq = await client.threads.createTopic(conversation, topic);
            setCreating(false);
            go({ at: "chat", id: conversation.id, thread: seq });
          }}
        />
      ) : null}
    </nav>
  );
}

function TopicChip({ topic, open }: { topic: Message; open: boolean }) {
  const s = useStrings(strings);
  const unread = useReplies(topic)?.unread ?? 0;
  const { content } = topic;
  if (content?.type !== "topic") return null;
  return (
    <button type="button" className={`chip topic-chip ${content.closed ? "topic-closed" : ""}`} aria-pressed={open} onClick={() => openThread(topic)}>
      {content.icon ? <span>{content.icon}</span> : null}
      <span dir="auto">{content.name}</span>
      {content.closed ? <small>({s.topicClosed})</small> : null}
      {unread > 0 ? (
        <span className="badge">
          <span aria-hidden="true">{unread > 99 ? "99+" : unread}</span>
          <span className="visually-hidden">{s.unread(unread)}</span>
        </span>
      ) : null}
    </button>
  );
}

/** What may be done with a topic, behind a button; nothing for who may not. */
export function TopicMenu({ conversation, root }: { conversation: Conversation; root: Message }) {
  const s = useStrings(strings);
  const { threads } = useClient();
  const { fail } = useToasts();
  const { may } = useGroup(conversation);
  const [menu, setMenu] = useState<MenuPlace>();
  const [renaming, setRenaming] = useState(false);
  const { content } = root;
  if (content?.type !== "topic" || (!root.mine && !may("topics"))) return null;
  return (
    <>
      <IconButton icon="more" label={s.threadMenu} aria-haspopup="menu" aria-expanded={menu !== undefined} onClick={(event) => setMenu(placeOf(event.currentTarget))} />
      {menu ? (
        <Popover place={menu} align="end" role="menu" label={s.threadMenu} onClose={() => setMenu(undefined)}>
          <MenuItem
            icon="edit"
            label={s.renameTopic}
            onSelect={() => {
              setMenu(undefined);
              setRenaming(true);
            }}
          />
          <MenuItem
            icon="archive"
            label={content.closed ? s.reopenTopic : s.closeTopic}
            onSelect={() => {
              setMenu(undefined);
              threads.closeTopic(root, { reopen: content.closed }).catch(fail);
            }}
          />
        </Popover>
      ) : null}
      {renaming ? (
        <TopicDialog
          title={s.renameTopic}
          action={s.save}
          topic={content}
          onClose={() => setRenaming(false)}
          onSave={async (topic) => {
            await threads.updateTopic(root, topic);
            setRenaming(false);
          }}
        />
      ) : null}
    </>
  );
}

interface TopicDialogProps {
  readonly title: string;
  readonly action: string;
  readonly topic?: { readonly name: string; readonly icon: string };
  readonly onSave: (topic: { readonly name: string; readonly icon: string }) => Promise<void>;
  readonly onClose: () => void;
}

function TopicDialog({ title, action, topic, onSave, onClose }: TopicDialogProps) {
  const t = useWords();
  const s = useStrings(strings);
  const { fail } = useToasts();
  const [name, setName] = useState(topic?.name ?? "");
  const [icon, setIcon] = useState(topic?.icon ?? "");
  const [busy, setBusy] = useState(false);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (name.trim() === "" || busy) return;
    setBusy(true);
    onSave({ name: name.trim(), icon: icon.trim() })
      .catch(fail)
      .finally(() => setBusy(false));
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <form className="topic-form" onSubmit={submit}>
        <label className="topic-icon">
          <span>{s.icon}</span>
          <input className="input" value={icon} maxLength={16} placeholder="💬" onChange={(event) => setIcon(event.target.value)} />
        </label>
        <label>
          <span>{s.name}</span>
          <input className="input" value={name} maxLength={60} autoFocus onChange={(event) => setName(event.target.value)} />
        </label>
        <div className="dialog-submit">
          <Button onClick={onClose}>{t.cancel}</Button>
          <Button kind="primary" submit busy={busy} disabled={name.trim() === ""}>
            {action}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
