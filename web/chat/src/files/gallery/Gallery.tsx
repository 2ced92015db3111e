// Pictures and films of a conversation, one at a time and as large as they
// can be, on the browser's own dialog: it keeps the focus, and the rest of the
// page is still.
import type { Message } from "@skein/client";
import { useCallback, useEffect, useRef, useState, type KeyboardEvent } from "react";
import { useWorkspace } from "../../app/workspaceContext.ts";
import { exact } from "../../format/time.ts";
import { useSpeech } from "../../i18n/context.tsx";
import { useStrings } from "../../i18n/strings.ts";
import { useClient } from "../../live/context.tsx";
import { ForwardDialog } from "../../messages/ForwardDialog.tsx";
import { useNames } from "../../people/names.tsx";
import { IconButton } from "../../ui/Button.tsx";
import { useToasts } from "../../ui/Toasts.tsx";
import { useCopyPicture } from "../copyPicture.ts";
import { kindOf } from "../kinds.ts";
import { messageAt } from "../messageAt.ts";
import { saveUrl } from "../save.ts";
import { strings as fileStrings } from "../strings.ts";
import { useFileUrl } from "../useSource.ts";
import { Film } from "./Film.tsx";
import { itemKey, type GalleryItem } from "./items.ts";
import { strings } from "./strings.ts";
import { useItems } from "./useItems.ts";
import { ZoomPicture, type ZoomHandle } from "./ZoomPicture.tsx";
import "./gallery.css";

interface GalleryProps {
  readonly start: GalleryItem;
  readonly onClose: () => void;
}

const step = 1.5;
const panBy = 80;

/** The gallery. */
export function Gallery({ start, onClose }: GalleryProps) {
  const { t, tag } = useSpeech();
  const s = useStrings(strings);
  const f = useStrings(fileStrings);
  const client = useClient();
  const nameOf = useNames();
  const { open } = useWorkspace();
  const { fail } = useToasts();
  const copyPicture = useCopyPicture();
  const { items, at, more, go } = useItems(start);
  const item = items[at] ?? start;
  const { owner, file, caption } = item;
  const film = kindOf(file) === "film";
  const dialog = useRef<HTMLDialogElement>(null);
  const zoom = useRef<ZoomHandle>(null);
  const [scale, setScale] = useState(1);
  const [forwarding, setForwarding] = useState<Message>();
  const save = useFileUrl(owner, file.file, { save: true });
  const whole = useFileUrl(owner, file.file);

  useEffect(() => {
    const element = dialog.current;
    if (!element) return;
    const before = document.activeElement;
    if (!element.open) element.showModal();
    element.querySelector<HTMLElement>("[data-autofocus]")?.focus();
    return () => {
      element.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  const key = itemKey(item);
  useEffect(() => setScale(1), [key]);

  const onSwipe = useCallback((what: "next" | "previous" | "close") => (what === "close" ? onClose() : go(what === "next" ? 1 : -1)), [go, onClose]);
  const onKeyDown = (event: KeyboardEvent) => {
    event.stopPropagation();
    const pan = { ArrowLeft: [panBy, 0], ArrowRight: [-panBy, 0], ArrowUp: [0, panBy], ArrowDown: [0, -panBy] }[event.key];
    if (pan && zoom.current?.pan(pan[0] ?? 0, pan[1] ?? 0)) event.preventDefault();
    else if (event.key === "ArrowLeft") go(-1);
    else if (event.key === "ArrowRight") go(1);
    else if (event.key === "Home") go(-at);
    else if (event.key === "End") go(items.length - 1 - at);
    else if (event.key === "+" || event.key === "=") zoom.current?.zoom(step);
    else if (event.key === "-") zoom.current?.zoom(1 / step);
    else if (event.key === "0") zoom.current?.reset();
    else return;
    event.preventDefault();
  };
  const forward = () => {
    messageAt(client.conversation.get(owner.conversation), owner.seq ?? 0).then((message) => message && setForwarding(message), fail);
  };

  const who = owner.sender === client.userId ? t.you : nameOf(owner.sender);
  const alt = caption === "" ? f.photoNamed(file.name) : caption;
  const sent = owner.seq !== undefined;
  return (
    <dialog
      ref={dialog}
      className="gallery"
      aria-label={s.gallery}
      onCancel={(event) => {
        if (event.target !== dialog.current) return;
        event.preventDefault();
        onClose();
      }}
      onKeyDown={onKeyDown}
    >
      <div className="gallery-stage">
        {film ? <Film key={key} item={item} label={f.filmNamed(file.name, "")} onSwipe={onSwipe} /> : <ZoomPicture key={key} ref={zoom} item={item} alt={alt} onSwipe={onSwipe} onScale={setScale} />}
      </div>
      <header className="gallery-head">
        <div className="gallery-who">
          <strong dir="auto">{who}</strong>
          <span>
            <span className="gallery-position" role="status">
              {s.position(at + 1, `${items.length}${more ? "+" : ""}`)}
            </span>
            {owner.time > 0 ? <time dateTime={new Date(owner.time).toISOString()}> · {exact(owner.time, tag)}</time> : null}
          </span>
        </div>
        {film ? null : (
          <>
            <IconButton className="gallery-wide" icon="zoomOut" label={s.zoomOut} disabled={scale <= 1} onClick={() => zoom.current?.zoom(1 / step)} />
            <IconButton className="gallery-wide" icon="zoomIn" label={s.zoomIn} onClick={() => zoom.current?.zoom(step)} />
            {whole === undefined ? null : <IconButton className="gallery-wide" icon="copy" label={f.copyPicture} onClick={() => copyPicture(whole)} />}
          </>
        )}
        {save === undefined ? null : <IconButton icon="save" label={f.save} onClick={() => saveUrl(save, file.name)} />}
        {sent ? (
          <>
            <IconButton icon="switchUser" label={s.forward} onClick={forward} />
            <IconButton
              icon="jump"
              label={s.jump}
              onClick={() => {
                onClose();
                const { conversation, seq = 0, thread } = owner;
                open({ conversation, seq, ...(thread ? { thread } : {}) });
              }}
            />
          </>
        ) : null}
        <IconButton icon="close" label={t.close} data-autofocus="" onClick={onClose} />
      </header>
      <button type="button" className="gallery-step gallery-previous" aria-label={s.previous} title={s.previous} disabled={at === 0} onClick={() => go(-1)}>
        <span className="gallery-arrow" aria-hidden="true" />
      </button>
      <button type="button" className="gallery-step gallery-next" aria-label={s.next} title={s.next} disabled={at >= items.length - 1} onClick={() => go(1)}>
        <span className="gallery-arrow" aria-hidden="true" />
      </button>
      {caption === "" ? null : (
        <p className="gallery-caption" dir="auto">
          {caption}
        </p>
      )}
      <Neighbours items={[items[at - 1], items[at + 1]]} />
      {forwarding ? <ForwardDialog conversation={client.conversation.get(owner.conversation)} messages={[forwarding]} onClose={() => setForwarding(undefined)} onDone={() => setForwarding(undefined)} /> : null}
    </dialog>
  );
}

/** Loads what is likely to be seen next. */
function Neighbours({ items }: { items: readonly (GalleryItem | undefined)[] }) {
  return (
    <div className="gallery-neighbours" aria-hidden="true">
      {items.map((item, i) => (item && kindOf(item.file) === "picture" ? <Neighbour key={`${i} ${itemKey(item)}`} item={item} /> : null))}
    </div>
  );
}

function Neighbour({ item }: { item: GalleryItem }) {
  const src = useFileUrl(item.owner, item.file.file, item.file.animated ? {} : { size: "l" });
  return src === undefined ? null : <img src={src} alt="" decoding="async" />;
}
