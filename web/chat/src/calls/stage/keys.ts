// What the stage does with the keyboard, the screen and its light.
import { useEffect, useMemo, useRef, useState, type RefObject } from "react";
import type { CallSession } from "../session.ts";

/** Where a key is text, or presses what has the focus. */
const taken = "input, textarea, select, [contenteditable], button, a, [role=menuitem], [role=menuitemradio], dialog, .popover";

/** M, V, Escape, and the space bar held to speak. */
export function useKeys(session: CallSession, ref: RefObject<HTMLElement | null>, onMinimise: () => void): void {
  const minimise = useRef(onMinimise);
  minimise.current = onMinimise;
  useEffect(() => ref.current?.focus({ preventScroll: true }), [ref]);
  useEffect(() => {
    let held = false;
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.repeat) return;
      if (document.querySelector("dialog[open]")) return;
      const target = event.target instanceof Element ? event.target : document.body;
      const typing = target.closest("input, textarea, select, [contenteditable], .popover") !== null;
      const key = event.key.toLowerCase();
      if (typing) return;
      if (key === "m") void session.setMicrophone(!session.microphone);
      else if (key === "v") void session.setCamera(!session.camera);
      else if (key === "escape" && !document.fullscreenElement && target.closest(".stage-panel") === null) minimise.current();
      else if (key === " " && !session.microphone && target.closest(taken) === null) {
        held = true;
        void session.setMicrophone(true);
      } else return;
      event.preventDefault();
      event.stopPropagation();
    };
    const letGo = () => {
      if (!held) return;
      held = false;
      const mute = () => void session.setMicrophone(false);
      // Let go before the microphone was on.
      if (!session.switching("microphone")) return mute();
      const off = session.onChange(() => {
        if (session.switching("microphone")) return;
        off();
        mute();
      });
    };
    const onKeyUp = (event: KeyboardEvent) => {
      if (event.key === " ") letGo();
    };
    // Before the app below, which has keys of its own.
    window.addEventListener("keydown", onKeyDown, true);
    window.addEventListener("keyup", onKeyUp);
    window.addEventListener("blur", letGo);
    return () => {
      letGo();
      window.removeEventListener("keydown", onKeyDown, true);
      window.removeEventListener("keyup", onKeyUp);
      window.removeEventListener("blur", letGo);
    };
  }, [session]);
}

/** The whole screen for the page, undefined where the browser refuses. */
export function useFullScreen(): { readonly on: boolean; readonly toggle: () => void } | undefined {
  const [on, setOn] = useState(() => document.fullscreenElement !== null);
  useEffect(() => {
    const look = () => setOn(document.fullscreenElement !== null);
    document.addEventListener("fullscreenchange", look);
    return () => {
      document.removeEventListener("fullscreenchange", look);
      if (document.fullscreenElement) void document.exitFullscreen().catch(() => undefined);
    };
  }, []);
  return useMemo(
    () =>
      document.fullscreenEnabled
        ? {
            on,
            toggle: () => void (document.fullscreenElement ? document.exitFullscreen() : document.documentElement.requestFullscreen()).catch(() => undefined),
          }
        : undefined,
    [on],
  );
}

/** The screen stays lit while this is shown. */
export function useWakeLock(): void {
  useEffect(() => {
    let lock: WakeLockSentinel | undefined;
    let gone = false;
    // The browser takes it back when the page is hidden.
    const ask = () => {
      if (document.visibilityState !== "visible" || !("wakeLock" in navigator)) return;
      navigator.wakeLock.request("screen").then(
        (given) => {
          if (gone) void given.release();
          else lock = given;
        },
        () => undefined,
      );
    };
    ask();
    document.addEventListener("visibilitychange", ask);
    return () => {
      gone = true;
      document.removeEventListener("visibilitychange", ask);
      void lock?.release();
    };
  }, []);
}
