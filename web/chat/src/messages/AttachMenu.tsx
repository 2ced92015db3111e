// What can be sent beside a text: a place, somebody's card, a sticker, files that lie somewhere.
import type { Conversation, OutgoingContent } from "@skein/client";
import { lazy, Suspense, useId, useRef, useState, type ReactNode } from "react";
import { useWords } from "../i18n/context.tsx";
import { useStrings } from "../i18n/strings.ts";
import { useClient, useConversations } from "../live/context.tsx";
import { Button, IconButton } from "../ui/Button.tsx";
import { Dialog } from "../ui/Dialog.tsx";
import { MenuItem, placeOf, Popover, type MenuPlace } from "../ui/Menu.tsx";
import { useToasts } from "../ui/Toasts.tsx";
import { PollDialog } from "../polls/PollDialog.tsx";
import { strings as pollStrings } from "../polls/strings.ts";
import { strings as sendStrings } from "../files/send/strings.ts";
import { Sticker } from "./Sticker.tsx";
import { pack, packName } from "./stickers.ts";
import { strings } from "./strings.ts";

const CameraDialog = lazy(() => import("../files/send/CameraDialog.tsx").then(({ CameraDialog }) => ({ default: CameraDialog })));

type Asking = "location" | "card" | "sticker" | "files" | "poll" | "camera";

interface AttachMenuProps {
  readonly conversation: Conversation;
  /** Sends it, with what the composer has beside. */
  readonly onSend: (content: OutgoingContent) => void;
  /** Files were chosen, or a photo was taken. */
  readonly onFiles: (files: readonly File[]) => void;
  readonly onClose: () => void;
}

/** A phone has an app for its camera, which a file input opens. */
function cameraApp(): boolean {
  return matchMedia("(hover: none) and (pointer: coarse)").matches;
}

/** A button with its menu and dialogs. */
export function AttachMenu({ conversation, onSend, onFiles, onClose }: AttachMenuProps) {
  const f = useStrings(sendStrings);
  const pictures = useRef<HTMLInputElement>(null);
  const files = useRef<HTMLInputElement>(null);
  const camera = useRef<HTMLInputElement>(null);
  const choose = (input: typeof files) => () => {
    setPlace(undefined);
    input.current?.click();
  };
  const input = (ref: typeof files, label: string, more: { readonly accept?: string; readonly capture?: "environment"; readonly multiple?: boolean }) => (
    <input
      ref={ref}
      type="file"
      hidden
      aria-label={label}
      {...more}
      onChange={(event) => {
        const chosen = [...(event.target.files ?? [])];
        event.target.value = "";
        if (chosen.length > 0) onFiles(chosen);
      }}
    />
  );
  const s = useStrings(strings);
  const p = useStrings(pollStrings);
  const { groups } = useClient();
  const mayPoll = conversation.kind !== "group" || groups.may(conversation, "poll");
  const [place, setPlace] = useState<MenuPlace>();
  const [asking, setAsking] = useState<Asking>();
  const close = () => {
    setAsking(undefined);
    onClose();
  };
  const send = (content: OutgoingContent) => {
    onSend(content);
    close();
  };
  const ask = (what: Asking) => () => {
    setPlace(undefined);
    setAsking(what);
  };
  return (
    <>
      <IconButton icon="plus" size={24} label={s.attach} aria-haspopup="menu" aria-expanded={place !== undefined} onClick={(event) => setPlace(placeOf(event.currentTarget))} />
      {place ? (
        <Popover place={place} role="menu" label={s.attach} onClose={() => setPlace(undefined)}>
          <MenuItem icon="image" label={f.photoOrVideo} onSelect={choose(pictures)} />
          <MenuItem icon="file" label={f.file} onSelect={choose(files)} />
          <MenuItem icon="camera" label={f.camera} onSelect={cameraApp() ? choose(camera) : ask("camera")} />
          <MenuItem icon="emoji" label={s.sticker} onSelect={ask("sticker")} />
          <MenuItem icon="globe" label={s.location} onSelect={ask("location")} />
          <MenuItem icon="person" label={s.contactCard} onSelect={ask("card")} />
          <MenuItem icon="link" label={s.files} onSelect={ask("files")} />
          {mayPoll ? <MenuItem icon="poll" label={p.poll} onSelect={ask("poll")} /> : null}
        </Popover>
      ) : null}
      {input(pictures, f.photoOrVideo, { accept: "image/*,video/*", multiple: true })}
      {input(files, f.file, { multiple: true })}
      {input(camera, f.camera, { accept: "image/*,video/*", capture: "environment" })}
      {asking === "camera" ? (
        <Suspense>
          <CameraDialog
            onClose={close}
            onPhoto={(photo) => {
              close();
              onFiles([photo]);
            }}
          />
        </Suspense>
      ) : null}
      {asking === "location" ? <LocationDialog onSend={send} onClose={close} /> : null}
      {asking === "card" ? <CardDialog onSend={send} onClose={close} /> : null}
      {asking === "sticker" ? <StickerDialog onSend={send} onClose={close} /> : null}
      {asking === "poll" ? <PollDialog onSend={send} onClose={close} /> : null}
      {asking === "files" ? <FilesDialog onSend={send} onClose={close} /> : null}
    </>
  );
}

interface AskProps {
  readonly onSend: (content: OutgoingContent) => void;
  readonly onClose: () => void;
}

interface FieldProps {
  readonly label: string;
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly hint?: string;
  readonly numeric?: boolean;
  readonly lines?: boolean;
  readonly list?: string;
}

function Field({ label, value, onChange, hint, numeric = false, lines = false, list }: FieldProps) {
  const id = useId();
  return (
    <div className="field">
      <label className="field-label" htmlFor={id}>
        {label}
      </label>
      {lines ? (
        <textarea id={id} className="input" rows={4} value={value} onChange={(event) => onChange(event.target.value)} />
      ) : (
        <input id={id} className="input" value={value} inputMode={numeric ? "decimal" : "text"} list={list} autoComplete="off" onChange={(event) => onChange(event.target.value)} />
      )}
      {hint ? <p className="field-hint">{hint}</p> : null}
    </div>
  );
}

function Asked({ title, ready, onSend, onClose, children }: { title: string; ready: boolean; onSend: () => void; onClose: () => void; children: ReactNode }) {
  const t = useWords();
  const s = useStrings(strings);
  return (
    <Dialog
      title={title}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{t.cancel}</Button>
          <Button kind="primary" disabled={!ready} onClick={onSend}>
            {s.sendIt}
          </Button>
        </>
      }
    >
      {children}
    </Dialog>
  );
}

function degreesOf(text: string, most: number): number | undefined {
  const value = Number(text.trim().replace(",", "."));
  return text.trim() !== "" && Math.abs(value) <= most ? value : undefined;
}

function LocationDialog({ onSend, onClose }: AskProps) {
  const s = useStrings(strings);
  const client = useClient();
  const { show } = useToasts();
  const [latitude, setLatitude] = useState("");
  const [longitude, setLongitude] = useState("");
  const [name, setName] = useState("");
  const [address, setAddress] = useState("");
  const [busy, setBusy] = useState(false);
  const at = [degreesOf(latitude, 90), degreesOf(longitude, 180)] as const;
  const here = () => {
    setBusy(true);
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => {
        setBusy(false);
        setLatitude(coords.latitude.toFixed(6));
        setLongitude(coords.longitude.toFixed(6));
      },
      () => {
        setBusy(false);
        show({ text: s.noLocation });
      },
      { timeout: 15_000 },
    );
  };
  const ready = at[0] !== undefined && at[1] !== undefined;
  return (
    <Asked
      title={s.location}
      ready={ready}
      onClose={onClose}
      onSend={() => onSend(client.messages.location({ latitude: at[0] ?? 0, longitude: at[1] ?? 0, name: name.trim(), address: address.trim() }))}
    >
      {"geolocation" in navigator ? (
        <Button kind="soft" busy={busy} onClick={here}>
          {s.useMyLocation}
        </Button>
      ) : null}
      <Field label={s.latitude} value={latitude} numeric onChange={setLatitude} />
      <Field label={s.longitude} value={longitude} numeric onChange={setLongitude} {...(latitude !== "" && longitude !== "" && !ready ? { hint: s.badLatitude } : {})} />
      <Field label={`${s.placeName} (${s.optional})`} value={name} onChange={setName} />
      <Field label={`${s.address} (${s.optional})`} value={address} onChange={setAddress} />
    </Asked>
  );
}

function CardDialog({ onSend, onClose }: AskProps) {
  const s = useStrings(strings);
  const client = useClient();
  const known = useConversations().flatMap(({ peer }) => peer ?? []);
  const [user, setUser] = useState("");
  const [name, setName] = useState("");
  const list = useId();
  const id = user.trim();
  return (
    <Asked title={s.contactCard} ready={id !== ""} onClose={onClose} onSend={() => onSend(client.messages.contactCard({ user: id, name: name.trim() }))}>
      <datalist id={list}>
        {known.map((one) => (
          <option key={one} value={one} />
        ))}
      </datalist>
      <Field label={s.user} value={user} list={list} onChange={setUser} {...(new TextEncoder().encode(id).length > 64 ? { hint: s.badUser } : {})} />
      <Field label={`${s.shownName} (${s.optional})`} value={name} onChange={setName} />
    </Asked>
  );
}

function StickerDialog({ onSend, onClose }: AskProps) {
  const s = useStrings(strings);
  const client = useClient();
  return (
    <Dialog title={s.sticker} onClose={onClose}>
      <div className="sticker-grid">
        {pack.map(([id, emoji]) => (
          <button key={id} type="button" className="sticker-choice" aria-label={`${s.sticker} ${emoji}`} onClick={() => onSend(client.messages.sticker({ pack: packName, id, alt: emoji }))}>
            <Sticker pack={packName} id={id} alt={emoji} />
          </button>
        ))}
      </div>
    </Dialog>
  );
}

const types: Readonly<Record<string, string>> = {
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  gif: "image/gif",
  webp: "image/webp",
  svg: "image/svg+xml",
  mp4: "video/mp4",
  webm: "video/webm",
  mp3: "audio/mpeg",
  ogg: "audio/ogg",
  wav: "audio/wav",
  pdf: "application/pdf",
  zip: "application/zip",
  txt: "text/plain",
};

/** The file behind a link; undefined when it is no https link. */
export function fileAt(line: string): { readonly name: string; readonly mime: string; readonly url: string } | undefined {
  let url: URL;
  try {
    url = new URL(line);
  } catch {
    return undefined;
  }
  if (url.protocol !== "https:" || url.username !== "" || url.hostname === "") return undefined;
  let name = url.pathname.split("/").at(-1) ?? "";
  try {
    name = decodeURIComponent(name);
  } catch {
    // It is shown as it stands.
  }
  name = name.replace(/[\p{C}]/gu, "").slice(0, 80) || url.hostname;
  return { name, mime: types[name.split(".").at(-1)?.toLowerCase() ?? ""] ?? "application/octet-stream", url: url.href };
}

function FilesDialog({ onSend, onClose }: AskProps) {
  const s = useStrings(strings);
  const client = useClient();
  const [links, setLinks] = useState("");
  const [caption, setCaption] = useState("");
  const lines = links.split("\n").map((line) => line.trim()).filter(Boolean);
  const files = lines.flatMap((line) => fileAt(line) ?? []);
  const ready = files.length > 0 && files.length === lines.length && files.length <= 20;
  return (
    <Asked title={s.files} ready={ready} onClose={onClose} onSend={() => onSend(client.messages.attachments(files, caption.trim()))}>
      <Field label={s.fileLinks} value={links} lines hint={lines.length > 0 && !ready ? s.badLinks : s.fileLinksHint} onChange={setLinks} />
      <Field label={`${s.caption} (${s.optional})`} value={caption} onChange={setCaption} />
    </Asked>
  );
}
