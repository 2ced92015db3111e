// What a person chose about the app itself. Kept in this browser, and the same
// in all its tabs.
import { useSyncExternalStore } from "react";
import { pickLanguage, type Language } from "../i18n/language.ts";

/** The choices; "auto" follows the system. */
export interface Prefs {
  readonly theme: "auto" | "light" | "dark";
  readonly language: "auto" | Language;
  /** The developer panel is open. */
  readonly developer: boolean;
}

// The name is known to public/theme.js too.
const storageKey = "skein.web.prefs";
const defaults: Prefs = { theme: "auto", language: "auto", developer: false };

/** Reads what was stored, leaving out whatever is not a choice. */
export function parsePrefs(text: string | null): Prefs {
  try {
    const raw = JSON.parse(text ?? "{}") as Partial<Record<keyof Prefs, unknown>>;
    return {
      theme: raw.theme === "light" || raw.theme === "dark" ? raw.theme : "auto",
      language: raw.language === "en" || raw.language === "zh" ? raw.language : "auto",
      developer: raw.developer === true,
    };
  } catch {
    return defaults;
  }
}

class PrefsStore {
  #listeners = new Set<() => void>();
  #text: string | null = null;
  #prefs: Prefs = defaults;

  readonly get = (): Prefs => {
    let text = this.#text;
    try {
      text = localStorage.getItem(storageKey);
    } catch {
      // Storage is off: what was chosen lasts as long as the page.
    }
    if (text !== this.#text) {
      this.#text = text;
      this.#prefs = parsePrefs(text);
    }
    return this.#prefs;
  };

  set(change: Partial<Prefs>): void {
    this.#prefs = { ...this.get(), ...change };
    this.#text = JSON.stringify(this.#prefs);
    try {
      localStorage.setItem(storageKey, this.#text);
    } catch {
      // See get.
    }
    applyTheme(this.#prefs.theme);
    for (const listener of this.#listeners) listener();
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    const onStorage = () => {
      applyTheme(this.get().theme);
      listener();
    };
    window.addEventListener("storage", onStorage);
    return () => {
      this.#listeners.delete(listener);
      window.removeEventListener("storage", onStorage);
    };
  };
}

function applyTheme(theme: Prefs["theme"]): void {
  if (theme === "auto") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = theme;
}

const store = new PrefsStore();

/** Changes some of the choices. */
export function setPrefs(change: Partial<Prefs>): void {
  store.set(change);
}

/** The choices; draws again when they change, in another tab too. */
export function usePrefs(): Prefs {
  return useSyncExternalStore(store.subscribe, store.get);
}

/** The language to speak. */
export function useLanguage(): Language {
  const { language } = usePrefs();
  return language === "auto" ? pickLanguage(navigator.languages) : language;
}
