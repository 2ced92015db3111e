// Words of one part of the app, which lie in its own folder as strings.ts.
import { useSpeech } from "./context.tsx";
import type { Language } from "./language.ts";

/** A text, or what makes one out of numbers and names. */
export type Word = string | ((...values: never[]) => string);

/** The same words in the other language: a key too few or too many does not compile. */
type Same<T> = { readonly [K in keyof T]: T[K] extends string ? string : T[K] };

/** Words of a part of the app, by language. */
export type Strings<T extends Readonly<Record<string, Word>>> = Readonly<Record<Language, Same<T>>>;

/** Names the words of a part: `export const strings = defineStrings({ en: { … }, zh: { … } })` in its strings.ts. */
export function defineStrings<T extends Readonly<Record<string, Word>>>(words: { en: T; zh: NoInfer<Same<T>> }): Strings<T> {
  return words as Strings<T>;
}

/** The words of a part in the chosen language. */
export function useStrings<T extends Readonly<Record<string, Word>>>(strings: Strings<T>): Same<T> {
  return strings[useSpeech().language];
}
