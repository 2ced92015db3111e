// What a ring does beside being seen: it sounds, a phone shakes, the title of
// the tab and a notification of the system tell of it.
import { useEffect } from "react";
import { remembered } from "../lobby/chosen.ts";
import { notify } from "./notify.ts";
import { play, type Tone } from "./tones.ts";

/** Plays a sound for as long as there is one to play. */
export function useTone(tone: Tone | undefined): void {
  useEffect(() => (tone === undefined ? undefined : play(tone, remembered().speakerId)), [tone]);
}

/** Rings aloud; silent for a tab that is not the one of its browser to be heard. */
export function useRinging(id: string, aloud: boolean, title: string, body: string): void {
  useTone(aloud ? "ring" : undefined);
  useEffect(() => {
    // Browsers refuse, loudly, to shake for a page that was never touched.
    if (!aloud || typeof navigator.vibrate !== "function" || navigator.userActivation?.hasBeenActive === false) return;
    const shake = () => navigator.vibrate([500, 250, 500]);
    shake();
    const timer = setInterval(shake, 3200);
    return () => {
      clearInterval(timer);
      navigator.vibrate(0);
    };
  }, [aloud, id]);
  useEffect(() => (aloud ? notify(`skein-call-${id}`, title, body) : undefined), [aloud, id, title, body]);
  useEffect(() => {
    const sign = "📞 ";
    let before = document.title;
    const back = () => {
      // Unless the count of what is unread was put there meanwhile.
      if (document.title.startsWith(sign)) document.title = before;
    };
    const blink = () => {
      if (document.title.startsWith(sign)) return back();
      before = document.title;
      document.title = sign + title;
    };
    blink();
    const timer = setInterval(blink, 1500);
    return () => {
      clearInterval(timer);
      back();
    };
  }, [title]);
}
