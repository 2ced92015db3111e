// The text of an announcement: the Markdown of messages, as elements.
import { parseMarkdown, type Block, type Inline } from "@skein/client/markdown";
import { useMemo, type ReactNode } from "react";

function inline(parts: readonly Inline[]): ReactNode {
  return parts.map((part, i) => {
    switch (part.kind) {
      case "text":
        return part.text;
      case "code":
        return <code key={i}>{part.text}</code>;
      case "break":
        return <br key={i} />;
      case "strong":
        return <strong key={i}>{inline(part.children)}</strong>;
      case "em":
        return <em key={i}>{inline(part.children)}</em>;
      case "strike":
        return <s key={i}>{inline(part.children)}</s>;
      case "link":
        return (
          <a key={i} href={part.url} target="_blank" rel="noopener noreferrer nofollow">
            {inline(part.children)}
          </a>
        );
    }
  });
}

function block(part: Block, i: number): ReactNode {
  switch (part.kind) {
    case "paragraph":
      return <p key={i}>{inline(part.children)}</p>;
    case "codeBlock":
      return <pre key={i}>{part.text}</pre>;
    case "quote":
      return <blockquote key={i}>{part.children.map(block)}</blockquote>;
    case "list": {
      const items = part.children.map((item, k) => <li key={k}>{item.children.map(block)}</li>);
      return part.ordered ? (
        <ol key={i} start={part.start}>
          {items}
        </ol>
      ) : (
        <ul key={i}>{items}</ul>
      );
    }
  }
}

/** Draws a text. */
export function AnnouncementText({ text }: { text: string }) {
  const blocks = useMemo(() => parseMarkdown(text), [text]);
  return <div className="announcement-text">{blocks.map(block)}</div>;
}
