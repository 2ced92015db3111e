// A livestream: who watches it sees what is said, says something, and, looking
// after it, mutes viewers and takes them out. Nothing of it is kept.
import type { Room, RoomMessage } from "@skein/client/rooms";
import { useEffect, useRef, useState, useSyncExternalStore, type FormEvent } from "react";
import { useStrings } from "../i18n/strings.ts";
import { useClient } from "../live/context.tsx";
import { useNames } from "../people/names.tsx";
import { Button, IconButton, Spinner } from "../ui/Button.tsx";
import { Dialog } from "../ui/Dialog.tsx";
import { useToasts } from "../ui/Toasts.tsx";
import { strings } from "./strings.ts";
import "./livestream.css";

/** The dialog: with an id the room, else the question which. */
export function LivestreamDialog({ id, onClose }: { id: string | undefined; onClose: () => void }) {
  const s = useStrings(strings);
  const client = useClient();
  const { fail } = useToasts();
  const [room, setRoom] = useState<Room>();
  const [busy, setBusy] = useState(id !== undefined);
  const watched = useRef<Room>(undefined);
  const alive = useRef(true);

  const watch = async (which: string) => {
    setBusy(true);
    try {
      const joined = await client.rooms.join(which);
      if (!alive.current) return void joined.leave().catch(() => undefined);
      watched.current = joined;
      setRoom(joined);
    } catch (error) {
      fail(error);
    } finally {
      setBusy(false);
    }
  };
  useEffect(() => {
    alive.current = true;
    if (id !== undefined) void watch(id);
    return () => {
      alive.current = false;
      watched.current?.leave().catch(() => undefined);
    };
    // Once for each dialog: it is made anew for another room.
  }, [id]);

  return (
    <Dialog title={s.title} onClose={onClose}>
      {room ? <Watching room={room} /> : busy ? <Spinner /> : <Which onWatch={watch} />}
    </Dialog>
  );
}

function Which({ onWatch }: { onWatch: (id: string) => void }) {
  const s = useStrings(strings);
  const client = useClient();
  const { fail } = useToasts();
  const [id, setId] = useState("");
  const [name, setName] = useState("");
  const start = async (event: FormEvent) => {
    event.preventDefault();
    try {
      const made = await client.groups.create({ title: name.trim(), members: [], type: "livestream" });
      onWatch(made.id);
    } catch (error) {
      fail(error);
    }
  };
  return (
    <div className="live-which">
      <form
        onSubmit={(event) => {
          event.preventDefault();
          onWatch(id.trim());
        }}
      >
        <input className="input" aria-label={s.which} placeholder={s.which} value={id} onChange={(e) => setId(e.target.value)} autoFocus />
        <Button kind="primary" submit disabled={id.trim() === ""}>
          {s.watch}
        </Button>
      </form>
      <p className="hint">{s.or}</p>
      <form onSubmit={(event) => void start(event)}>
        <input className="input" aria-label={s.name} placeholder={s.name} maxLength={60} value={name} onChange={(e) => setName(e.target.value)} />
        <Button kind="soft" submit disabled={name.trim() === ""}>
          {s.start}
        </Button>
      </form>
    </div>
  );
}

function Watching({ room }: { room: Room }) {
  const s = useStrings(strings);
  const client = useClient();
  const { fail } = useToasts();
  const now = useSyncExternalStore(
    (listener) => room.subscribe(listener),
    () => room.snapshot(),
  );
  const [text, setText] = useState("");
  const list = useRef<HTMLOListElement>(null);
  const [atEnd, setAtEnd] = useState(true);
  const role = client.conversation.group(room.id).snapshot.myRole;
  const staff = role === "owner" || role === "admin";
  useEffect(() => {
    if (atEnd) list.current?.scrollTo({ top: list.current.scrollHeight });
  }, [now.messages, atEnd]);

  const say = async (event: FormEvent) => {
    event.preventDefault();
    const words = text.trim();
    if (words === "") return;
    setText("");
    try {
      await room.say(words);
    } catch (error) {
      setText(words);
      fail(error);
    }
  };
  return (
    <div className="live">
      <p className="live-state">
        <code>{room.id}</code>
        <span role="status">{s.viewers(now.viewers)}</span>
        {now.dropped > 0 ? <span className="hint">{s.dropped(now.dropped)}</span> : null}
      </p>
      <ol
        ref={list}
        className="live-list scroll"
        role="log"
        tabIndex={0}
        aria-label={s.title}
        onScroll={(event) => {
          const { scrollTop, scrollHeight, clientHeight } = event.currentTarget;
          setAtEnd(scrollHeight - scrollTop - clientHeight < 24);
        }}
      >
        {now.messages.length === 0 ? <li className="hint">{s.empty}</li> : null}
        {now.messages.map((message) => (
          <Line key={message.id} room={room} message={message} staff={staff && message.user !== client.userId} />
        ))}
      </ol>
      {now.ended ? (
        <p className="live-end" role="alert">
          {now.ended === "removed" ? s.removed : s.closed}
        </p>
      ) : now.mutedUntil > Date.now() ? (
        <p className="live-end" role="status">
          {s.muted(new Date(now.mutedUntil).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }))}
        </p>
      ) : (
        <form className="live-write" onSubmit={(event) => void say(event)}>
          <input className="input" aria-label={s.write} placeholder={s.write} maxLength={500} value={text} onChange={(e) => setText(e.target.value)} />
          <Button kind="primary" submit disabled={text.trim() === ""}>
            {s.send}
          </Button>
        </form>
      )}
    </div>
  );
}

function Line({ room, message, staff }: { room: Room; message: RoomMessage; staff: boolean }) {
  const s = useStrings(strings);
  const name = useNames()(message.user);
  const { fail, show } = useToasts();
  const [acting, setActing] = useState(false);
  const act = (done: Promise<void>, said: string) => {
    setActing(false);
    done.then(() => show({ text: said })).catch(fail);
  };
  return (
    <li className={message.high ? "live-line live-high" : "live-line"}>
      <span className="live-text">
        <strong>{name}</strong> {message.custom ? message.custom.summary || message.custom.type : message.text}
      </span>
      {staff ? (
        <IconButton icon="more" size={18} label={s.actions(name)} aria-expanded={acting} onClick={() => setActing(!acting)} />
      ) : null}
      {acting ? (
        <span className="live-actions" role="group" aria-label={s.actions(name)}>
          <Button kind="soft" onClick={() => act(room.mute(message.user, 300), s.doneMute(name))}>
            {s.mute(name)}
          </Button>
          <Button kind="danger" onClick={() => act(room.remove(message.user, 3600), s.doneRemove(name))}>
            {s.remove(name)}
          </Button>
        </span>
      ) : null}
    </li>
  );
}
