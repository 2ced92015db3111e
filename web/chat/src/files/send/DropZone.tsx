// Takes files that are dragged over a conversation, and says where they will go.
import { useEffect, useLayoutEffect, useRef, useState, type ReactNode, type RefObject } from "react";
import { createPortal } from "react-dom";
import { useStrings } from "../../i18n/strings.ts";
import { Icon } from "../../ui/Icon.tsx";
import { bringsFiles, filesOf } from "./filesOf.ts";
import { strings } from "./strings.ts";
import "./send.css";

interface DropZoneProps {
  /** Where one may drop. */
  readonly over: RefObject<HTMLElement | null>;
  readonly name: string;
  readonly onFiles: (files: readonly File[]) => void;
}

/** Shown while something is dragged over `over`. */
export function DropZone({ over, name, onFiles }: DropZoneProps): ReactNode {
  const s = useStrings(strings);
  const [active, setActive] = useState(false);
  const take = useRef(onFiles);
  take.current = onFiles;
  const { pasted } = s;

  // On the whole page, and at once: what is dragged over it the moment that it is seen is taken as well.
  useLayoutEffect(() => {
    const here = (event: DragEvent) => bringsFiles(event.dataTransfer) && event.target instanceof Node && (over.current?.contains(event.target) ?? false);
    // Each element on the way says that it is entered: the last one tells where one is.
    const onEnter = (event: DragEvent) => {
      if (here(event)) event.preventDefault();
      setActive(here(event));
    };
    const onOver = (event: DragEvent) => {
      if (!here(event)) return;
      event.preventDefault();
      if (event.dataTransfer) event.dataTransfer.dropEffect = "copy";
    };
    const onLeave = (event: DragEvent) => {
      // Out of the window.
      if (event.relatedTarget === null) setActive(false);
    };
    const onDrop = (event: DragEvent) => {
      setActive(false);
      if (!here(event)) return;
      event.preventDefault();
      take.current(filesOf(event.dataTransfer, pasted, new Date()));
    };
    document.addEventListener("dragenter", onEnter);
    document.addEventListener("dragover", onOver);
    document.addEventListener("dragleave", onLeave);
    document.addEventListener("drop", onDrop);
    return () => {
      document.removeEventListener("dragenter", onEnter);
      document.removeEventListener("dragover", onOver);
      document.removeEventListener("dragleave", onLeave);
      document.removeEventListener("drop", onDrop);
    };
  }, [over, pasted]);

  if (!active || !over.current) return null;
  return createPortal(
    <div className="dropzone" role="status">
      <div className="dropzone-frame">
        <Icon name="upload" size={40} />
        <strong>{s.drop(name)}</strong>
        <span>{s.dropHint}</span>
      </div>
    </div>,
    over.current,
  );
}

/** A file that misses every zone would replace the page. */
export function useNoStrayDrop(): void {
  useEffect(() => {
    const refuse = (event: DragEvent) => {
      if (event.defaultPrevented || !bringsFiles(event.dataTransfer)) return;
      event.preventDefault();
      if (event.dataTransfer) event.dataTransfer.dropEffect = "none";
    };
    window.addEventListener("dragover", refuse);
    window.addEventListener("drop", refuse);
    return () => {
      window.removeEventListener("dragover", refuse);
      window.removeEventListener("drop", refuse);
    };
  }, []);
}
