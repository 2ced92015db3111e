// Marks around what is selected in the composer, and whether a text has any.
import { parseMarkdown } from "@skein/client/markdown";

/** What a key or a button of the toolbar does. */
export type Mark = "bold" | "italic" | "strike" | "code" | "quote" | "list" | "link";

const around: Partial<Record<Mark, string>> = { bold: "**", italic: "*", strike: "~~", code: "`" };
const before: Partial<Record<Mark, string>> = { quote: "> ", list: "- " };

/** A text with a selection. */
export interface Selected {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** Sets a mark, or takes it away where it is already. */
export function applyMark({ text, start, end }: Selected, mark: Mark): Selected {
  const inside = text.slice(start, end);
  const pair = mark === "code" && inside.includes("\n") ? undefined : around[mark];
  if (pair !== undefined) {
    if (text.slice(start - pair.length, start) === pair && text.slice(end, end + pair.length) === pair) {
      const rest = text.slice(0, start - pair.length) + inside + text.slice(end + pair.length);
      return { text: rest, start: start - pair.length, end: end - pair.length };
    }
    return { text: text.slice(0, start) + pair + inside + pair + text.slice(end), start: start + pair.length, end: end + pair.length };
  }
  if (mark === "link") {
    const url = /^https?:\/\/\S+$/.test(inside);
    const put = url ? `[](${inside})` : `[${inside}](https://)`;
    const caret = url ? start + 1 : start + put.length - 1;
    return { text: text.slice(0, start) + put + text.slice(end), start: caret, end: caret };
  }
  const from = text.lastIndexOf("\n", start - 1) + 1;
  if (mark === "code") {
    const put = `${from < start ? "\n" : ""}\`\`\`\n${inside}\n\`\`\``;
    return { text: text.slice(0, start) + put + text.slice(end), start: start + put.length, end: start + put.length };
  }
  const prefix = before[mark] ?? "";
  const lines = text.slice(from, end).split("\n");
  const all = lines.every((line) => line.startsWith(prefix));
  const put = lines.map((line) => (all ? line.slice(prefix.length) : prefix + line)).join("\n");
  return { text: text.slice(0, from) + put + text.slice(end), start: from + put.length, end: from + put.length };
}

/** The mark of a key with Ctrl or ⌘. */
export function markOf(key: { readonly key: string; readonly ctrlKey: boolean; readonly metaKey: boolean; readonly altKey: boolean; readonly shiftKey: boolean }): Mark | undefined {
  if (!(key.ctrlKey || key.metaKey) || key.altKey) return undefined;
  switch (key.key.toLowerCase()) {
    case "b":
      return key.shiftKey ? undefined : "bold";
    case "i":
      return key.shiftKey ? undefined : "italic";
    case "e":
      return key.shiftKey ? undefined : "code";
    case "x":
      return key.shiftKey ? "strike" : undefined;
    case "k":
      return key.shiftKey ? "link" : undefined;
    default:
      return undefined;
  }
}

/** Whether a text says anything but itself when it is read as Markdown. */
export function hasMarks(text: string): boolean {
  return parseMarkdown(text).some((block) => block.kind !== "paragraph" || block.children.some((part) => part.kind !== "text" && part.kind !== "break"));
}
