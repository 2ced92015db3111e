// Gives components the words and the language's tag.
import { createContext, useContext, useMemo, type ReactNode } from "react";
import type { Words } from "./en.ts";
import { formatTag, words, type Language } from "./language.ts";

interface Speech {
  t: Words;
  language: Language;
  tag: string;
}

const SpeechContext = createContext<Speech>({ t: words.en, language: "en", tag: "en" });

/** Sets the language for everything inside. */
export function SpeechProvider({ language, children }: { language: Language; children: ReactNode }) {
  const speech = useMemo(
    () => ({ t: words[language], language, tag: formatTag(language, navigator.languages) }),
    [language],
  );
  return (
    <SpeechContext value={speech}>{children}</SpeechContext>
  );
}

/** The words of the chosen language. */
export function useWords(): Words {
  return useContext(SpeechContext).t;
}

/** Words, language and BCP 47 tag, for what formats dates. */
export function useSpeech(): Speech {
  return useContext(SpeechContext);
}
