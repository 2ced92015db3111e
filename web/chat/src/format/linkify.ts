// Finds links and mentions in the text of a message. It returns pieces, never
// markup: whoever draws them makes elements, so that no text can become HTML.

/** One piece of a text; joined, the pieces' texts are the text. */
export type Piece =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "link"; readonly text: string; readonly href: string }
  | { readonly type: "mention"; readonly text: string; readonly user: string };

// A link ends at white space, at quotes, at CJK punctuation, and at CJK words:
// Chinese is written without a space before and after.
const candidate =
  /\b(?:https?:\/\/|www\.)[^\s<>"'`，。；：！？、（）《》【】“”‘’…\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]+/giu;

/** Punctuation that belongs to the sentence rather than to the link before it. */
function trimEnd(text: string): string {
  let end = text.length;
  while (end > 0) {
    const c = text[end - 1] ?? "";
    if (/[.,;:!?'"*_~]/.test(c)) {
      end--;
      continue;
    }
    const open = c === ")" ? "(" : c === "]" ? "[" : c === "}" ? "{" : "";
    if (!open) break;
    const inside = text.slice(0, end);
    // "(see https://a.example/x)" ends before the bracket; "…/Skein_(yarn)" keeps it.
    if (inside.split(open).length >= inside.split(c).length) break;
    end--;
  }
  return text.slice(0, end);
}

/** The address of a link, undefined unless it is http or https with a host and without a name and password in it. */
export function safeHref(text: string): string | undefined {
  let url: URL;
  try {
    url = new URL(/^www\./i.test(text) ? `https://${text}` : text);
  } catch {
    return undefined;
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") return undefined;
  // "https://bank.example@evil.example" reads as a link to the bank.
  if (url.username !== "" || url.password !== "" || url.hostname === "") return undefined;
  if (/^www\./i.test(text) && !/^www\.[^.]+\.[^.]/i.test(url.hostname)) return undefined;
  return url.href;
}

/** Splits a text into links, mentions of the given users ("@ann"), and the rest. */
export function pieces(text: string, mentions: readonly string[] = []): Piece[] {
  const out: Piece[] = [];
  let from = 0;
  for (const match of text.matchAll(candidate)) {
    const shown = trimEnd(match[0]);
    const href = safeHref(shown);
    if (href === undefined) continue;
    if (match.index > from) out.push(...mentionPieces(text.slice(from, match.index), mentions));
    out.push({ type: "link", text: shown, href });
    from = match.index + shown.length;
  }
  if (from < text.length) out.push(...mentionPieces(text.slice(from), mentions));
  return out;
}

function mentionPieces(text: string, mentions: readonly string[]): Piece[] {
  const names = mentions.filter((user) => text.includes(`@${user}`)).sort((a, b) => b.length - a.length);
  if (names.length === 0) return [{ type: "text", text }];
  const pattern = new RegExp(`@(${names.map(escapeRegExp).join("|")})(?![\\p{L}\\p{N}_])`, "gu");
  const out: Piece[] = [];
  let from = 0;
  for (const match of text.matchAll(pattern)) {
    if (match.index > from) out.push({ type: "text", text: text.slice(from, match.index) });
    out.push({ type: "mention", text: match[0], user: match[1] ?? "" });
    from = match.index + match[0].length;
  }
  if (from < text.length) out.push({ type: "text", text: text.slice(from) });
  return out;
}

/** Makes a text safe to stand in a regular expression with the flag u, which knows no needless escapes. */
export function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
}

/** Splits a text at the words that were searched for; odd pieces are matches. */
export function highlightPieces(text: string, query: string): string[] {
  const terms = query.trim().split(/\s+/u).filter(Boolean);
  if (terms.length === 0) return [text];
  return text.split(new RegExp(`(${terms.sort((a, b) => b.length - a.length).map(escapeRegExp).join("|")})`, "giu"));
}

/**
 * Whether a text is one to three emoji and nothing else, which is then drawn
 * large. Digits are emoji too by Unicode's word; not here.
 */
export function isBigEmoji(text: string): boolean {
  const trimmed = text.trim();
  if (trimmed.length === 0 || trimmed.length > 40) return false;
  const parts = [...new Intl.Segmenter(undefined, { granularity: "grapheme" }).segment(trimmed)];
  return parts.length <= 3 && parts.every(({ segment }) => /^(?:\p{Extended_Pictographic}|\p{Regional_Indicator}{2})/u.test(segment));
}
