// Takes files that are dragged over a conversation, and says where they will go.
import { useEffect, useRef, useState, type ReactNode, type RefObject } from "react";
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

  useEffect(() => {
    const element = over.current;
    if (!element) return;
    // Each element on the way says enter and leave of its own.
    let depth = 0;
    const set = (next: number) => {
      depth = Math.max(0, next);
      setActive(depth > 0);
    };
    const onEnter = (event: DragEvent) => {
      if (!bringsFiles(event.dataTransfer)) return;
      event.preventDefault();
      set(depth + 1);
    };
    const onOver = (event: DragEvent) => {
      if (!bringsFiles(event.dataTransfer)) return;
      event.preventDefault();
      if (event.dataTransfer) event.dataTransfer.dropEffect = "copy";
    };
    const onLeave = (event: DragEvent) => {
      if (bringsFiles(event.dataTransfer)) set(depth - 1);
    };
    const onDrop = (event: DragEvent) => {
      set(0);
      if (!bringsFiles(event.dataTransfer)) return;
      event.preventDefault();
      event.stopPropagation();
      take.current(filesOf(event.dataTransfer, pasted, new Date()));
    };
    element.addEventListener("dragenter", onEnter);
    element.addEventListener("dragover", onOver);
    element.addEventListener("dragleave", onLeave);
    element.addEventListener("drop", onDrop);
    return () => {
      element.removeEventListener("dragenter", onEnter);
      element.removeEventListener("dragover", onOver);
      element.removeEventListener("dragleave", onLeave);
      element.removeEventListener("drop", onDrop);
    };
  }, [over, pasted]);

  if (!active) return null;
  return (
    <div className="dropzone" role="status">
      <div className="dropzone-frame">
        <Icon name="upload" size={40} />
        <strong>{s.drop(name)}</strong>
        <span>{s.dropHint}</span>
      </div>
    </div>
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
