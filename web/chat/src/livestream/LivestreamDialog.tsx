// Which livestream: one whose id or link one was given, or one of one's own.
import { useState, type FormEvent } from "react";
import { go, parseRoute } from "../app/route.ts";
import { useWorkspace } from "../app/workspaceContext.ts";
import { useStrings } from "../i18n/strings.ts";
import { useClient } from "../live/context.tsx";
import { Button } from "../ui/Button.tsx";
import { Dialog } from "../ui/Dialog.tsx";
import { useToasts } from "../ui/Toasts.tsx";
import { strings } from "./strings.ts";
import "./livestream.css";

/** The id in what somebody typed or pasted: a link of the app, or the id itself. */
function roomOf(text: string): string {
  const route = parseRoute(text.slice(Math.max(0, text.indexOf("#"))));
  return route.at === "live" ? route.id : text;
}

/** The dialog. */
export function LivestreamDialog({ onClose }: { onClose: () => void }) {
  const s = useStrings(strings);
  const client = useClient();
  const { open } = useWorkspace();
  const { fail } = useToasts();
  const [room, setRoom] = useState("");
  const [name, setName] = useState("");
  const [busy, setBusy] = useState(false);
  const watch = (event: FormEvent) => {
    event.preventDefault();
    onClose();
    go({ at: "live", id: roomOf(room.trim()) });
  };
  const start = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    try {
      const made = await client.groups.create({ title: name.trim(), members: [], type: "livestream" });
      onClose();
      open({ conversation: made.id });
    } catch (error) {
      setBusy(false);
      fail(error);
    }
  };
  return (
    <Dialog title={s.title} onClose={onClose}>
      <div className="live-which">
        <form onSubmit={watch}>
          <input className="input" aria-label={s.which} placeholder={s.which} value={room} onChange={(e) => setRoom(e.target.value)} autoFocus />
          <Button kind="primary" submit disabled={room.trim() === ""}>
            {s.watch}
          </Button>
        </form>
        <p className="hint">{s.or}</p>
        <form onSubmit={(event) => void start(event)}>
          <input className="input" aria-label={s.name} placeholder={s.name} maxLength={60} value={name} onChange={(e) => setName(e.target.value)} />
          <Button kind="soft" submit busy={busy} disabled={name.trim() === ""}>
            {s.start}
          </Button>
        </form>
      </div>
    </Dialog>
  );
}
