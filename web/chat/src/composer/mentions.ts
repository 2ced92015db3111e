// Mentions while typing: which word is being typed after an "@", and which of
// the members a finished text mentions.

/** The "@word" that ends at the caret; undefined when there is none. */
export function mentionAt(text: string, caret: number): { readonly start: number; readonly query: string } | undefined {
  const before = text.slice(0, caret);
  const match = /(?:^|[\s(（，。、])@([^\s@]{0,64})$/u.exec(before);
  if (!match) return undefined;
  const query = match[1] ?? "";
  return { start: caret - query.length - 1, query };
}

/** Members whose id begins with the query, then those that contain it; at most `limit`. */
export function mentionMatches(members: readonly string[], query: string, limit = 6): string[] {
  const q = query.toLocaleLowerCase();
  const starts = members.filter((m) => m.toLocaleLowerCase().startsWith(q));
  const contains = members.filter((m) => !starts.includes(m) && m.toLocaleLowerCase().includes(q));
  return [...starts, ...contains].slice(0, limit);
}

/** Replaces the "@word" before the caret by the user's id and a space. */
export function insertMention(text: string, caret: number, user: string): { readonly text: string; readonly caret: number } {
  const at = mentionAt(text, caret);
  if (!at) return { text, caret };
  const inserted = `@${user} `;
  return { text: text.slice(0, at.start) + inserted + text.slice(caret), caret: at.start + inserted.length };
}

/** The members whom a text mentions as "@id", at most 100, which is what a message may carry. */
export function mentionedIn(text: string, members: readonly string[]): string[] {
  if (!text.includes("@")) return [];
  return members
    .filter((user) => {
      for (let at = text.indexOf(`@${user}`); at >= 0; at = text.indexOf(`@${user}`, at + 1)) {
        const next = text.slice(at + user.length + 1);
        // "@ann" is not in "@anna", and "@ann." mentions ann.
        if (!/^[\p{L}\p{N}_]/u.test(next)) return true;
      }
      return false;
    })
    .slice(0, 100);
}
