// The call in a window of its own above all others: a whole small page where
// the browser has such a thing, else the largest picture alone.
import { useCallback, useEffect, useState, type ReactNode } from "react";
import { createPortal } from "react-dom";
import type { CallSession } from "../session.ts";
import { MiniBar, MiniPicture } from "./MiniWindow.tsx";
import type { Party } from "./parties.ts";

interface DocumentPictureInPicture {
  requestWindow(options: { readonly width: number; readonly height: number }): Promise<Window>;
}

/** Chromium's documentPictureInPicture, which the DOM's types do not know. */
function documentPip(): DocumentPictureInPicture | undefined {
  return (window as { readonly documentPictureInPicture?: DocumentPictureInPicture }).documentPictureInPicture;
}

/** The largest picture of the stage. */
function largestVideo(): HTMLVideoElement | undefined {
  const area = (video: HTMLVideoElement) => video.clientWidth * video.clientHeight;
  return [...document.querySelectorAll<HTMLVideoElement>(".party video, .mini video")].sort((a, b) => area(b) - area(a))[0];
}

/** How to open it, undefined where the browser cannot, and what is in it. */
export function usePictureInPicture(session: CallSession, parties: readonly Party[]): { readonly open: (() => void) | undefined; readonly content: ReactNode } {
  const [page, setPage] = useState<Window>();
  const over = session.state === "ended";
  useEffect(() => {
    if (!page) return;
    if (over) page.close();
    return () => page.close();
  }, [page, over]);
  const open = useCallback(() => {
    const pip = documentPip();
    if (!pip) {
      void largestVideo()?.requestPictureInPicture().catch(() => undefined);
      return;
    }
    pip.requestWindow({ width: 320, height: 240 }).then(
      (opened) => {
        for (const sheet of document.querySelectorAll<HTMLLinkElement>("link[rel=stylesheet], style")) opened.document.head.append(sheet.cloneNode(true));
        const { lang, dataset } = document.documentElement;
        opened.document.documentElement.lang = lang;
        if (dataset["theme"]) opened.document.documentElement.dataset["theme"] = dataset["theme"];
        opened.document.title = document.title;
        opened.addEventListener("pagehide", () => setPage(undefined), { once: true });
        setPage(opened);
      },
      () => undefined,
    );
  }, []);
  const content = page && !over ? createPortal(<Inside session={session} parties={parties} page={page} />, page.document.body) : null;
  return { open: documentPip() || document.pictureInPictureEnabled ? open : undefined, content };
}

function Inside({ session, parties, page }: { session: CallSession; parties: readonly Party[]; page: Window }) {
  return (
    <main className="mini mini-page">
      <MiniPicture session={session} parties={parties} />
      <MiniBar
        session={session}
        onExpand={() => {
          window.focus();
          page.close();
        }}
      />
    </main>
  );
}
