// What is about to be sent: to be looked at, thinned out, captioned, and sent.
import { useEffect, useId, useRef, useState, type KeyboardEvent } from "react";
import { useWords } from "../../i18n/context.tsx";
import { useStrings } from "../../i18n/strings.ts";
import { Button, IconButton, Spinner } from "../../ui/Button.tsx";
import { Dialog } from "../../ui/Dialog.tsx";
import { Icon } from "../../ui/Icon.tsx";
import { layoutAlbum } from "../album.ts";
import { FileName, FileSign } from "../FileCard.tsx";
import { fileSize, playTime } from "../sizes.ts";
import { filesOf } from "./filesOf.ts";
import { inspect, knows, shrunk, type Inspected } from "./inspect.ts";
import type { NewFile } from "../sdk.ts";
import { strings } from "./strings.ts";

interface Chosen {
  readonly id: number;
  readonly file: File;
  readonly url: string;
  /** Undefined while it is being looked into. */
  readonly found: Inspected | undefined;
}

interface SendDialogProps {
  readonly files: readonly File[];
  /** To whom. */
  readonly name: string;
  /** What was typed already. */
  readonly caption: string;
  readonly onSend: (files: readonly NewFile[], caption: string) => void;
  readonly onClose: () => void;
}

/** A message has no more files than this. */
const most = 20;
const captionBytes = 4096;

/** The dialog. */
export function SendDialog({ files, name, caption: typed, onSend, onClose }: SendDialogProps) {
  const t = useWords();
  const s = useStrings(strings);
  const { chosen, refused, add, remove } = useChosen(files);
  const [caption, setCaption] = useState(typed);
  const [asFiles, setAsFiles] = useState(false);
  const [busy, setBusy] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const captionId = useId();
  const pictures = chosen.filter(({ found }) => !asFiles && (found?.kind === "picture" || found?.kind === "film"));
  const cards = chosen.filter((one) => !pictures.includes(one));
  const looking = chosen.some(({ found }) => !found);
  const over = new TextEncoder().encode(caption.trim()).length - captionBytes;
  const ready = chosen.length > 0 && chosen.length <= most && !looking && over <= 0;
  const photos = chosen.every(({ found }) => found?.kind === "picture") && !asFiles;

  const send = async () => {
    if (!ready || busy) return;
    setBusy(true);
    const prepared = await Promise.all(
      chosen.map(async ({ file, found }): Promise<NewFile> => {
        if (asFiles || !found) return { blob: file, name: file.name, plain: true };
        const { blob, width, height } = await shrunk(file, found);
        knows(blob);
        return { blob, name: file.name, width, height, durationMs: found.durationMs, poster: found.poster };
      }),
    );
    onSend(prepared, caption.trim());
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    void send();
  };

  return (
    <Dialog
      title={photos ? s.titlePhotos(chosen.length) : s.title(chosen.length)}
      wide
      onClose={onClose}
      actions={
        <>
          <Button className="send-add" onClick={() => input.current?.click()}>
            {s.add}
          </Button>
          <Button onClick={onClose}>{t.cancel}</Button>
          <Button kind="primary" busy={busy} disabled={!ready} onClick={() => void send()}>
            {s.send}
          </Button>
        </>
      }
    >
      <p className="send-to">{s.to(name)}</p>
      <div className="send-items">
        {pictures.length > 0 ? <Preview pictures={pictures} onRemove={remove} /> : null}
        {cards.map((one) => (
          <div key={one.id} className="card card-file send-card">
            {one.found ? <FileSign file={{ name: one.file.name, mime: one.file.type }} /> : <Spinner />}
            <span className="card-text">
              <FileName name={one.file.name} />
              <small>{fileSize(one.file.size)}</small>
            </span>
            <IconButton icon="close" size={18} label={s.remove(one.file.name)} onClick={() => remove(one.id)} />
          </div>
        ))}
      </div>
      {refused.map((file) => (
        <p key={file} className="field-error" role="alert">
          {s.empty(file)}
        </p>
      ))}
      {chosen.length > most ? (
        <p className="field-error" role="alert">
          {s.tooMany(chosen.length - most)}
        </p>
      ) : null}
      {chosen.some(({ found }) => found?.kind === "picture" || found?.kind === "film") ? (
        <label className="check-line">
          <input type="checkbox" checked={asFiles} onChange={(event) => setAsFiles(event.target.checked)} />
          <span>{s.asFiles}</span>
        </label>
      ) : null}
      <textarea
        id={captionId}
        className="input send-caption"
        rows={2}
        value={caption}
        placeholder={s.caption}
        aria-label={s.caption}
        dir="auto"
        // On a phone the keyboard would cover what one is about to send.
        autoFocus={matchMedia("(hover: hover)").matches}
        onChange={(event) => setCaption(event.target.value)}
        onKeyDown={onKeyDown}
        onPaste={(event) => {
          const pasted = filesOf(event.clipboardData, s.pasted, new Date());
          if (pasted.length === 0) return;
          event.preventDefault();
          add(pasted);
        }}
      />
      {over > 0 ? (
        <p className="field-error" role="alert">
          {s.captionLong(over)}
        </p>
      ) : null}
      <input
        ref={input}
        type="file"
        multiple
        hidden
        aria-label={s.add}
        onChange={(event) => {
          add([...(event.target.files ?? [])]);
          event.target.value = "";
        }}
      />
    </Dialog>
  );
}

/** The files that are chosen, each looked into once. */
function useChosen(first: readonly File[]) {
  const [chosen, setChosen] = useState<readonly Chosen[]>([]);
  const [refused, setRefused] = useState<readonly string[]>([]);
  const next = useRef(0);
  const urls = useRef(new Set<string>());
  const add = useRef((files: readonly File[]) => {
    // A folder that was dropped looks like a file without bytes.
    const bad = files.filter(({ size }) => size === 0);
    if (bad.length > 0) setRefused(bad.map((file) => file.name));
    for (const file of files) {
      if (file.size === 0) continue;
      const id = next.current++;
      const url = URL.createObjectURL(file);
      urls.current.add(url);
      setChosen((now) => [...now, { id, file, url, found: undefined }]);
      void inspect(file, url).then((found) => setChosen((now) => now.map((one) => (one.id === id ? { ...one, found } : one))));
    }
  }).current;
  useEffect(() => {
    const held = urls.current;
    add(first);
    return () => {
      for (const url of held) URL.revokeObjectURL(url);
      held.clear();
      setChosen([]);
    };
  }, [add, first]);
  const remove = (id: number) => setChosen((now) => now.filter((one) => one.id !== id));
  return { chosen, refused, add, remove };
}

/** The pictures and films as the album that they will be. */
function Preview({ pictures, onRemove }: { pictures: readonly Chosen[]; onRemove: (id: number) => void }) {
  const s = useStrings(strings);
  const [only] = pictures;
  const layout = layoutAlbum(pictures.map(({ found }) => found ?? { width: 0, height: 0 }));
  const alone = pictures.length === 1 && only?.found;
  const aspect = alone ? Math.max(0.8, Math.min(2.4, alone.width / alone.height)) : layout.aspect;
  return (
    <ul className="album send-album" role="list" style={{ aspectRatio: String(aspect) }}>
      {pictures.map(({ id, file, url, found }, i) => {
        const tile = layout.tiles[i] ?? { left: 0, top: 0, width: 1, height: 1 };
        return (
          <li key={id} className="album-tile" style={{ left: `${tile.left * 100}%`, top: `${tile.top * 100}%`, width: `${tile.width * 100}%`, height: `${tile.height * 100}%` }}>
            {found?.kind === "film" ? <video className="send-thumb" src={`${url}#t=0.5`} muted playsInline preload="metadata" aria-label={file.name} /> : <img className="send-thumb" src={url} alt={file.name} />}
            {found?.kind === "film" ? (
              <span className="tile-length">
                <Icon name="play" size={12} /> {playTime(found.durationMs)}
              </span>
            ) : null}
            <IconButton icon="close" size={16} className="send-remove" label={s.remove(file.name)} onClick={() => onRemove(id)} />
          </li>
        );
      })}
    </ul>
  );
}
