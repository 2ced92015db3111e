// The text of a message: links, mentions and found words, made of elements,
// never of markup.
import { memo } from "react";
import { pieces } from "../format/linkify.ts";
import { Highlight } from "./Highlight.tsx";

interface MessageTextProps {
  readonly text: string;
  readonly mentions: readonly string[];
  /** Words to mark. */
  readonly query: string;
  readonly me: string;
}

/** Draws a text. */
export const MessageText = memo(function MessageText({ text, mentions, query, me }: MessageTextProps) {
  return pieces(text, mentions).map((piece, i) => {
    if (piece.type === "link") {
      return (
        <a key={i} href={piece.href} target="_blank" rel="noopener noreferrer nofollow">
          <Highlight text={piece.text} query={query} />
        </a>
      );
    }
    if (piece.type === "mention") {
      return (
        <span key={i} className={piece.user === me ? "mention mention-me" : "mention"}>
          {piece.text}
        </span>
      );
    }
    return <Highlight key={i} text={piece.text} query={query} />;
  });
});
