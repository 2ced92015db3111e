/// <reference types="vite/client" />
import { describe, expect, test } from "vitest";
import { en } from "../src/i18n/en.ts";
import { formatTag, pickLanguage, words } from "../src/i18n/language.ts";
import { zh } from "../src/i18n/zh.ts";

// Beside the words of the whole app, each part has its own in its folder.
const parts = Object.entries(import.meta.glob<{ strings: { en: object; zh: object } }>("../src/**/strings.ts", { eager: true }));
const all = [["i18n", { en, zh }], ...parts.filter(([path]) => !path.includes("/i18n/")).map(([path, { strings }]) => [path.split("/").slice(2, -1).join("/"), strings])] as unknown as [
  string,
  { en: Record<string, unknown>; zh: Record<string, unknown> },
][];

// Names and terms that are the same everywhere.
const same = new Set(["appName", "devCodeNode", "devCodeGo", "findCount", "at", "last"]);

describe.each(all)("%s", (_, { en, zh }) => {
  const keys = Object.keys(en);

  test("both languages have every key and no other", () => {
    expect(Object.keys(zh).sort()).toEqual([...keys].sort());
  });

  test("a key is a text in both languages or a function of as many values in both", () => {
    for (const key of keys) {
      expect(typeof zh[key], key).toBe(typeof en[key]);
      const [a, b]: unknown[] = [en[key], zh[key]];
      if (typeof a === "function" && typeof b === "function") expect(b.length, key).toBe(a.length);
    }
  });

  test("no text is empty, and every text is in its language", () => {
    const call = (value: unknown): string => (typeof value === "function" ? String(value("A", "B", "C")) : String(value));
    for (const key of keys) {
      expect(call(en[key]).trim(), key).not.toBe("");
      if (same.has(key)) continue;
      expect(call(zh[key]), key).toMatch(/\p{Script=Han}/u);
      expect(call(en[key]), key).not.toMatch(/\p{Script=Han}/u);
    }
  });
});

test("the first language of the browser that the app speaks is taken", () => {
  expect(pickLanguage(["fr-FR", "zh-TW", "en"])).toBe("zh");
  expect(pickLanguage(["en-GB", "zh"])).toBe("en");
  expect(pickLanguage(["de"])).toBe("en");
  expect(pickLanguage([])).toBe("en");
});

test("dates are written as in the browser's own country where the language is the same", () => {
  expect(formatTag("en", ["de", "en-GB"])).toBe("en-GB");
  expect(formatTag("zh", ["en-GB"])).toBe("zh-CN");
  expect(Object.keys(words)).toEqual(["en", "zh"]);
});
