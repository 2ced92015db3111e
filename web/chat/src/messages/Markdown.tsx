// A text with marks, made of elements, never of markup.
import { parseMarkdown, type Block, type Inline, type ListItem } from "@skein/client/markdown";
import { memo, type ReactNode } from "react";
import { safeHref } from "../format/linkify.ts";
import { MessageText } from "../thread/MessageText.tsx";

interface MarkdownProps {
  readonly text: string;
  readonly mentions: readonly string[];
  readonly query: string;
  readonly me: string;
}

type Draw = (text: string, key: number) => ReactNode;

/** Draws a text that was written with marks. */
export const Markdown = memo(function Markdown({ text, mentions, query, me }: MarkdownProps) {
  const draw: Draw = (part, key) => <MessageText key={key} text={part} mentions={mentions} query={query} me={me} />;
  return <div className="md">{parseMarkdown(text).map((block, i) => drawBlock(block, i, draw))}</div>;
});

function drawBlock(block: Block, key: number, draw: Draw): ReactNode {
  switch (block.kind) {
    case "paragraph":
      return <p key={key}>{block.children.map((part, i) => drawInline(part, i, draw))}</p>;
    case "codeBlock":
      return (
        <pre key={key} className="md-code">
          {block.language ? <span className="md-language">{block.language}</span> : null}
          <code>{block.text}</code>
        </pre>
      );
    case "quote":
      return <blockquote key={key}>{block.children.map((child, i) => drawBlock(child, i, draw))}</blockquote>;
    case "list": {
      const items = block.children.map((item: ListItem, i) => <li key={i}>{item.children.map((child, k) => drawItem(child, k, draw))}</li>);
      return block.ordered ? (
        <ol key={key} start={block.start}>
          {items}
        </ol>
      ) : (
        <ul key={key}>{items}</ul>
      );
    }
  }
}

/** The paragraph of an item stands beside its mark. */
function drawItem(block: Block, key: number, draw: Draw): ReactNode {
  return block.kind === "paragraph" ? block.children.map((part, i) => drawInline(part, i, draw)) : drawBlock(block, key, draw);
}

function drawInline(part: Inline, key: number, draw: Draw): ReactNode {
  switch (part.kind) {
    case "text":
      return draw(part.text, key);
    case "break":
      return <br key={key} />;
    case "code":
      return <code key={key}>{part.text}</code>;
    case "strong":
      return <strong key={key}>{part.children.map((child, i) => drawInline(child, i, draw))}</strong>;
    case "em":
      return <em key={key}>{part.children.map((child, i) => drawInline(child, i, draw))}</em>;
    case "strike":
      return <s key={key}>{part.children.map((child, i) => drawInline(child, i, draw))}</s>;
    case "link": {
      const inside = part.children.map((child, i) => drawInline(child, i, (text, k) => <span key={k}>{text}</span>));
      const href = /^mailto:/i.test(part.url) ? part.url : safeHref(part.url);
      // Where it goes can be seen before it is pressed.
      return href === undefined ? (
        <span key={key}>{inside}</span>
      ) : (
        <a key={key} href={href} title={href} target="_blank" rel="noopener noreferrer nofollow">
          {inside}
        </a>
      );
    }
  }
}
