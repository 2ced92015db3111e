// The part of a long text in which the word that was searched for stands.

/** At most about 120 characters around the first match of the query's words. */
export function excerpt(text: string, query: string): string {
  const lower = text.toLocaleLowerCase();
  const at = query
    .trim()
    .toLocaleLowerCase()
    .split(/\s+/u)
    .map((word) => lower.indexOf(word))
    .filter((index) => index >= 0)
    .reduce((a, b) => Math.min(a, b), text.length);
  if (at <= 24 || at === text.length) return text;
  // Never between the two halves of a surrogate pair.
  const from = at - 20;
  const code = text.charCodeAt(from);
  return `…${text.slice(code >= 0xdc00 && code <= 0xdfff ? from + 1 : from)}`;
}
