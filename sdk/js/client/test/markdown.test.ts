import { readFileSync, readdirSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Block, type Inline, type ListItem, parseMarkdown, plainText } from "../src/markdown.js";

interface Vector {
  readonly name: string;
  readonly cases: readonly { readonly text: string; readonly tree: readonly unknown[]; readonly plain: string }[];
}

const folder = new URL("../../../testdata/markdown/", import.meta.url);
const vectors = readdirSync(folder).map((name) => JSON.parse(readFileSync(new URL(name, folder), "utf8")) as Vector);

/** The vectors leave out what is empty, 0 or false. */
function lean(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(lean);
  if (typeof value !== "object" || value === null) return value;
  const kept = Object.entries(value).filter(([, v]) => v !== "" && v !== 0 && v !== false && !(Array.isArray(v) && v.length === 0));
  return Object.fromEntries(kept.map(([key, v]) => [key, lean(v)]));
}

test("the vectors are there", () => {
  expect(vectors.flatMap((vector) => vector.cases).length).toBeGreaterThan(100);
});

describe.each(vectors)("$name", ({ cases }) => {
  test.each(cases)("$text", ({ text, tree, plain }) => {
    expect(lean(parseMarkdown(text))).toEqual(tree);
    expect(plainText(text)).toBe(plain);
  });
});

type Node = Block | Inline | ListItem;

function depth(nodes: readonly Node[]): number {
  return nodes.reduce((most, node) => Math.max(most, 1 + ("children" in node ? depth(node.children) : 0)), 0);
}

test("any text gives a shallow tree, whose links are safe", () => {
  const marks = fc.constantFrom("*", "**", "_", "~~", "`", "[", "]", "](https://a.example)", "](javascript:x)", "\n", "> ", "- ", "1. ", "```\n", "\\", " ", "a", "é", "😀");
  fc.assert(
    fc.property(fc.array(marks, { maxLength: 200 }), (parts) => {
      const tree = parseMarkdown(parts.join(""));
      expect(depth(tree)).toBeLessThan(24);
      const walk = (nodes: readonly Node[], inLink: boolean): void => {
        for (const node of nodes) {
          if (node.kind === "link") {
            expect(inLink).toBe(false);
            expect(node.url).toMatch(/^(?:https?:\/\/|mailto:)[!-~]+$/i);
          }
          if ("children" in node) walk(node.children, inLink || node.kind === "link");
        }
      };
      walk(tree, false);
    }),
    { numRuns: 500 },
  );
});

test("the time is linear in the text", () => {
  const took = (text: string): number => {
    const start = process.cpuUsage(); // of this process: what others of the machine take is not counted
    parseMarkdown(text);
    const { user, system } = process.cpuUsage(start);
    return (user + system) / 1000;
  };
  for (const part of ["*", "*a ", "*a**b", "[", "](", "[a](http://b", "` `", ">", "> ", " - ", "- a\n", "```\n", "**_~~[`"]) {
    const texts = [part.repeat((16 << 10) / part.length), part.repeat((128 << 10) / part.length)] as const;
    let [small, large] = [Infinity, Infinity];
    // 8 times the text; a quadratic parser would need 64 times the time. The best of some tries: caches that others fill cost time, too.
    const linear = () => large < 40 * Math.max(small, 0.5);
    for (let i = 0; i < 7 || (i < 30 && !linear()); i++) [small, large] = [Math.min(small, took(texts[0])), Math.min(large, took(texts[1]))];
    expect(linear(), `${JSON.stringify(part)}: ${small} and ${large} ms`).toBe(true);
  }
});
