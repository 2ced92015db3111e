// Which language the app speaks, and how a browser's wish is turned into one
// of ours.
import { en, type Words } from "./en.ts";
import { zh } from "./zh.ts";

/** The languages that the app has. */
export type Language = "en" | "zh";

/** All words, by language. */
export const words: Record<Language, Words> = { en, zh };

/** What a language calls itself, for the switch. */
export const languageNames: Record<Language, string> = { en: "English", zh: "中文" };

/** The tag for `lang` attributes and for Intl. */
export const languageTags: Record<Language, string> = { en: "en", zh: "zh-CN" };

/**
 * Picks the first of the browser's languages that we speak; English when there
 * is none.
 */
export function pickLanguage(wanted: readonly string[]): Language {
  for (const tag of wanted) {
    const primary = tag.toLowerCase().split("-")[0];
    if (primary === "zh" || primary === "en") return primary;
  }
  return "en";
}

/**
 * The tag by which dates and numbers are written: the browser's own when it is
 * of this language (an Englishman's clock has 24 hours), else the language's.
 */
export function formatTag(language: Language, wanted: readonly string[]): string {
  return wanted.find((tag) => tag.toLowerCase().split("-")[0] === language) ?? languageTags[language];
}
