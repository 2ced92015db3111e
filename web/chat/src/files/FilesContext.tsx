// What all parts of the app share about files: previews of what this device
// has sent, the one player of sound, and the gallery.
import { createContext, lazy, Suspense, useCallback, useContext, useEffect, useMemo, useState, type ReactNode } from "react";
import { useClient } from "../live/context.tsx";
import type { GalleryItem } from "./gallery/items.ts";
import { LocalFiles } from "./local.ts";
import { forgetSeen } from "./seen.ts";
import { Player } from "./voice/player.ts";

// Nobody needs it to read messages.
const Gallery = lazy(() => import("./gallery/Gallery.tsx").then(({ Gallery }) => ({ default: Gallery })));

interface Shared {
  readonly local: LocalFiles;
  readonly player: Player;
  /** Shows a picture or a film large, with all others of its conversation before and after it. */
  readonly openGallery: (item: GalleryItem) => void;
}

const FilesContext = createContext<Shared | undefined>(undefined);

/** Gives it to everything inside, for as long as somebody is signed in. */
export function FilesProvider({ children }: { children: ReactNode }) {
  const client = useClient();
  const [open, setOpen] = useState<GalleryItem>();
  const [local] = useState(() => new LocalFiles());
  const [player] = useState(() => new Player(() => new Audio()));
  const openGallery = useCallback((item: GalleryItem) => setOpen(item), []);
  useEffect(() => {
    const off = client.files.onChange((transfer) => local.note(transfer));
    for (const transfer of client.files.transfers()) local.note(transfer);
    return () => {
      off();
      local.close();
      player.stop();
    };
  }, [client, local, player]);
  // A device that is signed out elsewhere keeps nothing either.
  useEffect(() => client.on("state", ({ state }) => void (state === "signedOut" && forgetSeen())), [client]);
  const shared = useMemo(() => ({ local, player, openGallery }), [local, player, openGallery]);
  return (
    <FilesContext value={shared}>
      {children}
      {open ? (
        <Suspense>
          <Gallery start={open} onClose={() => setOpen(undefined)} />
        </Suspense>
      ) : null}
    </FilesContext>
  );
}

/** What is shared. */
export function useFiles(): Shared {
  const shared = useContext(FilesContext);
  if (!shared) throw new Error("no FilesProvider above this component");
  return shared;
}
