// A livestream as it is watched: who watches it sees what is said, says
// something, and, looking after it, mutes viewers and takes them out. Nothing
// of it is kept.
import type { Room, RoomMessage } from "@skein/client/rooms";
import { useEffect, useReducer, useRef, useState, useSyncExternalStore, type FormEvent } from "react";
import { clock } from "../format/time.ts";
import { useSpeech } from "../i18n/context.tsx";
import { useStrings } from "../i18n/strings.ts";
import { useClient, useConnection } from "../live/context.tsx";
import { useNames } from "../people/names.tsx";
import { Button, IconButton, Spinner } from "../ui/Button.tsx";
import { describeError, useToasts } from "../ui/Toasts.tsx";
import { strings } from "./strings.ts";
import "./livestream.css";

/** Watches the room for as long as it is there. */
export function LiveRoom({ id }: { id: string }) {
  const { t } = useSpeech();
  const client = useClient();
  const [room, setRoom] = useState<Room>();
  const [failed, setFailed] = useState<unknown>();
  const [attempt, again] = useReducer((n: number) => n + 1, 0);
  // A link may open the app: the first connection is waited for. Later ones the SDK joins again by itself.
  const online = useConnection(client).state === "online";
  const [ready, setReady] = useState(online);
  if (online && !ready) setReady(true);
  useEffect(() => {
    if (!ready) return;
    let gone = false;
    let watched: Room | undefined;
    const leave = (left: Room) => left.leave().catch(() => undefined);
    client.rooms.join(id).then(
      (joined) => {
        if (gone) return void leave(joined);
        watched = joined;
        setRoom(joined);
      },
      (error: unknown) => {
        if (!gone) setFailed(error);
      },
    );
    return () => {
      gone = true;
      setRoom(undefined);
      setFailed(undefined);
      if (watched) void leave(watched);
    };
  }, [client, id, ready, attempt]);

  if (room) return <Watching room={room} />;
  return (
    <div className="thread-empty" role={failed ? "alert" : undefined}>
      {failed ? (
        <>
          <strong>{describeError(failed, t).text}</strong>
          <Button onClick={again}>{t.retry}</Button>
        </>
      ) : (
        <Spinner />
      )}
    </div>
  );
}

function Watching({ room }: { room: Room }) {
  const s = useStrings(strings);
  const { tag } = useSpeech();
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
        <span className="live-mark">{s.live}</span>
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
        {now.messages.length === 0 ? <li className="hint">{[s.empty, s.keepsNothing].join(" ")}</li> : null}
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
          {s.muted(clock(now.mutedUntil, tag))}
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
