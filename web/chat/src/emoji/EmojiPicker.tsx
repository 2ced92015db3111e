// A small emoji picker: groups as tabs, arrows within the grid.
import { useRef, useState } from "react";
import { useWords } from "../i18n/context.tsx";
import type { Words } from "../i18n/en.ts";
import { roveFocus } from "../ui/roving.ts";
import { emojiGroups, emojiOf, type EmojiGroup } from "./data.ts";
import { noteEmoji, recentEmoji } from "./recent.ts";

type Tab = EmojiGroup | "recent";

const signs: Record<Tab, string> = { recent: "🕘", smileys: "🙂", people: "👋", nature: "🐻", food: "🍔", things: "⚽", symbols: "❤️" };

function tabName(tab: Tab, t: Words): string {
  const names: Record<Tab, string> = {
    recent: t.emojiRecent,
    smileys: t.emojiSmileys,
    people: t.emojiPeople,
    nature: t.emojiNature,
    food: t.emojiFood,
    things: t.emojiThings,
    symbols: t.emojiSymbols,
  };
  return names[tab];
}

const columns = 8;

/** The picker, to be put into a Popover. */
export function EmojiPicker({ onPick }: { onPick: (emoji: string) => void }) {
  const t = useWords();
  const [recent] = useState(recentEmoji);
  const tabs: readonly Tab[] = recent.length > 0 ? ["recent", ...emojiGroups] : emojiGroups;
  const [tab, setTab] = useState<Tab>(tabs[0] ?? "smileys");
  const grid = useRef<HTMLDivElement>(null);
  const emoji = tab === "recent" ? recent : emojiOf(tab);

  return (
    <div className="emoji-picker">
      <div
        className="emoji-tabs"
        role="tablist"
        aria-label={t.emoji}
        onKeyDown={(event) => {
          if (roveFocus(event.currentTarget, "[role=tab]", event.key, "horizontal")) {
            event.preventDefault();
            if (document.activeElement instanceof HTMLElement) document.activeElement.click();
          }
        }}
      >
        {tabs.map((name) => (
          <button
            key={name}
            type="button"
            role="tab"
            aria-selected={name === tab}
            tabIndex={name === tab ? 0 : -1}
            data-autofocus={name === tab ? "" : undefined}
            aria-label={tabName(name, t)}
            title={tabName(name, t)}
            onClick={() => setTab(name)}
          >
            {signs[name]}
          </button>
        ))}
      </div>
      <div
        ref={grid}
        className="emoji-grid scroll"
        role="tabpanel"
        aria-label={tabName(tab, t)}
        onKeyDown={(event) => {
          if (roveFocus(event.currentTarget, "button", event.key, "grid", columns)) event.preventDefault();
        }}
      >
        {emoji.map((one, i) => (
          <button
            key={one}
            type="button"
            tabIndex={i === 0 ? 0 : -1}
            onClick={() => {
              noteEmoji(one);
              onPick(one);
            }}
          >
            {one}
          </button>
        ))}
      </div>
    </div>
  );
}
