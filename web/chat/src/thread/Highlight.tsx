// A text in which the words that were searched for are marked.
import { highlightPieces } from "../format/linkify.ts";

/** Draws `text` with every word of `query` marked. */
export function Highlight({ text, query }: { text: string; query: string }) {
  if (query.trim() === "") return text;
  return highlightPieces(text, query).map((piece, i) => (i % 2 === 1 ? <mark key={i}>{piece}</mark> : piece));
}
