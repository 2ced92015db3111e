// Mentions of many: "@all" and its like in a text, and whom they call.
import type { Calls } from "@skein/client/messages";

/** One thing that can be mentioned beside users: what is typed, in each language, and whom it calls. */
export interface Group {
  readonly id: "all" | "here" | "owner" | "admin";
  readonly words: readonly string[];
}

/** All of them. The first word of a language is what the list puts in. */
export const groups: readonly Group[] = [
  { id: "all", words: ["all", "所有人", "channel", "everyone"] },
  { id: "here", words: ["here", "在线"] },
  { id: "owner", words: ["owner", "群主"] },
  { id: "admin", words: ["admin", "管理员"] },
];

/** What the list puts in, by language. */
export function wordOf(group: Group, language: "en" | "zh"): string {
  return group.words[language === "zh" ? 1 : 0] ?? group.id;
}

function said(text: string, word: string): boolean {
  for (let at = text.indexOf(`@${word}`); at >= 0; at = text.indexOf(`@${word}`, at + 1)) {
    if (!/^[\p{L}\p{N}_]/u.test(text.slice(at + word.length + 1))) return true;
  }
  return false;
}

/** A role of a group's own. */
export interface NamedRole {
  readonly id: string;
  readonly name: string;
}

/** Whom a text calls. A word that is also somebody's id is that user's. */
export function callsIn(text: string, members: readonly string[], own: readonly NamedRole[] = []): Calls {
  const meant = text.includes("@") ? groups.filter(({ words }) => words.some((word) => !members.includes(word) && said(text, word))) : [];
  const ids = meant.map(({ id }) => id);
  const roles = own.filter(({ name }) => !members.includes(name) && said(text, name)).map(({ id }) => id);
  return { all: ids.includes("all"), here: ids.includes("here"), roles: [...ids.filter((id) => id === "owner" || id === "admin"), ...roles].slice(0, 10) };
}

/** The words in a text to mark, for a message that calls these. */
export function wordsOf({ all, here, roles = [] }: Calls, own: readonly NamedRole[] = []): string[] {
  const names = own.filter(({ id }) => roles.includes(id)).map(({ name }) => name);
  return names.concat(groups.filter(({ id }) => (id === "all" ? all : id === "here" ? here : roles.includes(id))).flatMap(({ words }) => words));
}
