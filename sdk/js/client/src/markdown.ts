// The subset of Markdown that messages are written in; docs/guide/markdown.md is its grammar. It makes a tree and no
// markup: whoever shows a text makes elements of the tree, so that nothing in a text can become HTML, and whatever the
// grammar does not know stays as it was typed. The time is linear in the text and the depth of the tree is bounded.
// sdk/testdata/markdown holds this parser and the Go SDK's to the same trees.

/** How deep quotes nest; a further > is text. */
const maxQuotes = 4;
/** How deep lists nest; what is indented further joins the last. */
const maxLists = 4;
const maxUrl = 2048;

/** A part of a paragraph. */
export type Inline =
  | { readonly kind: "text" | "code"; readonly text: string }
  /** The end of a line within a paragraph. */
  | { readonly kind: "break" }
  | { readonly kind: "strong" | "em" | "strike"; readonly children: readonly Inline[] }
  /** `url` is http, https or mailto. There is no link inside. */
  | { readonly kind: "link"; readonly url: string; readonly children: readonly Inline[] };

/** An item of a list: a paragraph, then lists. */
export interface ListItem {
  readonly kind: "item";
  readonly children: readonly Block[];
}

/** A part of a text. */
export type Block =
  | { readonly kind: "paragraph"; readonly children: readonly Inline[] }
  | { readonly kind: "codeBlock"; readonly language: string; readonly text: string }
  | { readonly kind: "quote"; readonly children: readonly Block[] }
  /** `start` is the first item's number, of an ordered list. */
  | { readonly kind: "list"; readonly ordered: boolean; readonly start: number; readonly children: readonly ListItem[] };

/** The blocks of a text. Every text has a tree: there are no errors. */
export function parseMarkdown(text: string): readonly Block[] {
  const lines = text.split("\n");
  return blocks(
    lines.map((line, i) => (i < lines.length - 1 && line.endsWith("\r") ? line.slice(0, -1) : line)),
    0,
  );
}

/** What a text says without its marks, on one line: for lists of conversations and for notifications. */
export function plainText(text: string): string {
  const say = (nodes: readonly (Block | Inline | ListItem)[]): string =>
    nodes
      .map((node) => {
        switch (node.kind) {
          case "text":
          case "code":
            return node.text;
          case "codeBlock":
            return `${node.text}\n`;
          case "break":
            return "\n";
          case "paragraph":
          case "quote":
          case "list":
          case "item":
            return `${say(node.children)}\n`;
          default:
            return say(node.children);
        }
      })
      .join("");
  return say(parseMarkdown(text))
    .split(/[ \n\t]+/)
    .filter(Boolean)
    .join(" ");
}

function blocks(lines: readonly string[], depth: number): Block[] {
  const out: Block[] = [];
  let paragraph: string[] = [];
  const flush = (): void => {
    if (paragraph.length) out.push({ kind: "paragraph", children: inline(paragraph.join("\n")) });
    paragraph = [];
  };
  for (let i = 0; i < lines.length; ) {
    const line = lines[i] ?? "";
    const fence = /^```([A-Za-z0-9+#._-]{0,32})[ \t]*$/.exec(line);
    if (fence) {
      flush();
      let end = i + 1;
      while (end < lines.length && !/^```[ \t]*$/.test(lines[end] ?? "")) end++;
      out.push({ kind: "codeBlock", language: fence[1] ?? "", text: lines.slice(i + 1, end).join("\n") });
      i = end + 1;
    } else if (depth < maxQuotes && line.startsWith(">")) {
      flush();
      const inner: string[] = [];
      for (; lines[i]?.startsWith(">"); i++) inner.push((lines[i] ?? "").replace(/^> ?/, ""));
      out.push({ kind: "quote", children: blocks(inner, depth + 1) });
    } else if (blank(line)) {
      flush();
      i++;
    } else if (marker(line)) {
      flush();
      const [items, taken] = listItems(lines, i);
      const left = { items, at: 0 };
      while (left.at < items.length) out.push(list(left, 1));
      i += taken;
    } else {
      paragraph.push(line);
      i++;
    }
  }
  flush();
  return out;
}

function blank(line: string): boolean {
  return /^[ \t]*$/.test(line);
}

/** An item of a list, before its place in the tree is known. */
interface RawItem {
  readonly indent: number;
  readonly ordered: boolean;
  readonly start: number;
  text: string;
}

/** A line that begins an item: at most 15 spaces, one of - * + or up to nine digits with . or ), and a space. */
function marker(line: string): RawItem | undefined {
  const match = /^( {0,15})(?:[-*+]|(\d{1,9})[.)]) +/.exec(line);
  if (!match) return undefined;
  return { indent: match[1]?.length ?? 0, ordered: match[2] !== undefined, start: Number(match[2] ?? 0), text: line.slice(match[0].length) };
}

/** The lines of a list: those with a marker, and those indented by two spaces at least, which go on with the item before. */
function listItems(lines: readonly string[], from: number): [items: readonly RawItem[], taken: number] {
  const items: RawItem[] = [];
  let texts: string[] = [];
  let i = from;
  for (; i < lines.length; i++) {
    const line = lines[i] ?? "";
    const item = marker(line);
    if (item) {
      const last = items.at(-1);
      if (last) last.text = texts.join("\n");
      items.push(item);
      texts = [item.text];
    } else if (line.startsWith("  ") && !blank(line)) texts.push(line.replace(/^ +/, ""));
    else break;
  }
  const last = items.at(-1);
  if (last) last.text = texts.join("\n");
  return [items, i - from];
}

/** Builds the list that begins with the next item; what is less indented, or of the other kind, is left. */
function list(left: { readonly items: readonly RawItem[]; at: number }, depth: number): Block {
  const first = left.items[left.at] as RawItem;
  const children: { kind: "item"; children: Block[] }[] = [];
  for (let item = left.items[left.at]; item && item.indent >= first.indent; item = left.items[left.at]) {
    const last = children.at(-1);
    if (item.indent >= first.indent + 2 && depth < maxLists && last) {
      last.children.push(list(left, depth + 1));
      continue;
    }
    if (item.ordered !== first.ordered) break;
    children.push({ kind: "item", children: [{ kind: "paragraph", children: inline(item.text) }] });
    left.at++;
  }
  return { kind: "list", ordered: first.ordered, start: first.start, children };
}

/** A mark that waits for its partner: the node at `index` is its text. */
interface Opening {
  readonly mark: string;
  readonly index: number;
}

function inline(text: string): readonly Inline[] {
  return new Scanner(text).run();
}

/**
 * Parses one paragraph. What is open waits in #opened, each mark at most once, so that the tree is at most six deep and
 * closing is quick; a mark that finds no partner stays as text.
 */
class Scanner {
  readonly #in: string;
  #at = 0;
  #out: Inline[] = [];
  #opened: Opening[] = [];
  /** What was read since the last node. */
  #text = "";
  /** No closing backtick follows: all that come are text. */
  #ticks = false;

  constructor(text: string) {
    this.#in = text;
  }

  run(): readonly Inline[] {
    const plain = /[^\\\n`*_~[\]]+/y;
    while (this.#at < this.#in.length) {
      plain.lastIndex = this.#at;
      const run = plain.exec(this.#in);
      if (run) {
        this.#text += run[0];
        this.#at += run[0].length;
      } else this.#step(this.#in[this.#at] ?? "");
    }
    this.#flush();
    return joined(this.#out);
  }

  #step(c: string): void {
    if (c === "\\") this.#escape();
    else if (c === "\n") {
      this.#add({ kind: "break" });
      this.#at++;
    } else if (c === "`") this.#code();
    else if (c === "[") {
      this.#open("[");
      this.#at++;
    } else if (c === "]") this.#link();
    else this.#style(c);
  }

  #flush(): void {
    if (this.#text) this.#out.push({ kind: "text", text: this.#text });
    this.#text = "";
  }

  #add(node: Inline): void {
    this.#flush();
    this.#out.push(node);
  }

  /** A backslash: the punctuation behind it is itself. */
  #escape(): void {
    if (/^[!-/:-@[-`{-~]/.test(this.#in[this.#at + 1] ?? "")) this.#at++;
    this.#text += this.#in[this.#at++] ?? "";
  }

  /** What is between two backticks; without a second one it is text. */
  #code(): void {
    const end = this.#ticks ? -1 : this.#in.indexOf("`", this.#at + 1);
    this.#ticks = end < 0;
    if (end <= this.#at + 1) {
      const next = end < 0 ? this.#at + 1 : end + 1;
      this.#text += this.#in.slice(this.#at, next);
      this.#at = next;
      return;
    }
    this.#add({ kind: "code", text: this.#in.slice(this.#at + 1, end) });
    this.#at = end + 1;
  }

  /** A run of one of * _ ~ . */
  #style(c: string): void {
    const start = this.#at;
    while (this.#in[this.#at] === c) this.#at++;
    let mark = this.#in.slice(start, this.#at);
    if (mark.length > 3 || (c === "~" && mark.length !== 2)) {
      this.#text += mark;
      return;
    }
    const before = this.#in[start - 1] ?? " ";
    const after = this.#in[this.#at] ?? " ";
    const canOpen = !isSpace(after) && (c !== "_" || !isWord(before));
    const canClose = !isSpace(before) && (c !== "_" || !isWord(after));
    if (canClose) mark = this.#closeStyles(c, mark);
    while (canOpen && mark) {
      const part = mark.slice(0, 2);
      if (this.#find(part) >= 0) break; // open already: it does not nest in itself
      this.#open(part);
      mark = mark.slice(part.length);
    }
    this.#text += mark;
  }

  /** Closes as much as a run of marks can, the innermost first, and returns what is left of the run. */
  #closeStyles(c: string, run: string): string {
    let mark = run;
    while (mark) {
      let i = this.#opened.length - 1;
      while (i >= 0 && !this.#opened[i]?.mark.startsWith(c)) i--;
      const length = this.#opened[i]?.mark.length ?? 9;
      if (length > mark.length) break;
      const kind = c === "~" ? "strike" : length === 2 ? "strong" : "em";
      this.#wrap(i, (children) => ({ kind, children }));
      mark = mark.slice(length);
    }
    return mark;
  }

  /** Notes a mark, which is text until its partner comes. A second [ takes the place of the first: links do not nest. */
  #open(mark: string): void {
    this.#opened = this.#opened.filter((o) => o.mark !== mark);
    this.#flush();
    this.#opened.push({ mark, index: this.#out.length });
    this.#out.push({ kind: "text", text: mark });
  }

  #find(mark: string): number {
    return this.#opened.findIndex((o) => o.mark === mark);
  }

  /** Puts all since an opening into a node, in its place. What was opened since stays text. */
  #wrap(i: number, make: (children: readonly Inline[]) => Inline): void {
    this.#flush();
    const { index = 0 } = this.#opened[i] ?? {};
    const children = joined(this.#out.splice(index).slice(1));
    this.#out.push(make(children));
    this.#opened.length = i;
  }

  /** A ]: with an address behind it and a [ before it, it is a link. */
  #link(): void {
    const i = this.#find("[");
    this.#at++;
    if (i < 0) {
      this.#text += "]";
      return;
    }
    const url = address(this.#in, this.#at);
    if (url === undefined) {
      this.#opened.splice(i, 1);
      this.#text += "]";
      return;
    }
    this.#at += url.length + 2;
    this.#wrap(i, (children) => ({ kind: "link", url, children: children.length ? children : [{ kind: "text", text: url }] }));
  }
}

/** The url of (url): http, https or mailto, of printing ASCII without ( ) < > " ` \ . */
function address(text: string, at: number): string | undefined {
  const pattern = /\(([!#-'*-;=?-[\]-_a-~]*)\)/y;
  pattern.lastIndex = at;
  const url = pattern.exec(text)?.[1];
  return url !== undefined && url.length <= maxUrl && /^(?:https?:\/\/|mailto:)./i.test(url) ? url : undefined;
}

/** Makes one text of those that stand side by side. */
function joined(nodes: readonly Inline[]): readonly Inline[] {
  const out: Inline[] = [];
  let run: string[] = [];
  nodes.forEach((node, i) => {
    if (node.kind !== "text") out.push(node);
    else {
      run.push(node.text);
      if (nodes[i + 1]?.kind !== "text") {
        out.push({ kind: "text", text: run.join("") });
        run = [];
      }
    }
  });
  return out;
}

function isSpace(c: string): boolean {
  return c === " " || c === "\t" || c === "\n";
}

/** A letter or digit; everything beyond ASCII counts as one, so that a parser needs no tables. */
function isWord(c: string): boolean {
  return /[A-Za-z0-9\u0080-\uffff]/.test(c);
}
