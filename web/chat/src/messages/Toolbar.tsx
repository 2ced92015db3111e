// Buttons that set marks in the composer; the keys do the same.
import { useStrings } from "../i18n/strings.ts";
import type { Mark } from "./formatting.ts";
import { strings } from "./strings.ts";

const marks: readonly (readonly [mark: Mark, sign: string, key: string])[] = [
  ["bold", "B", "Ctrl+B"],
  ["italic", "I", "Ctrl+I"],
  ["strike", "S", "Ctrl+Shift+X"],
  ["code", "</>", "Ctrl+E"],
  ["link", "🔗", "Ctrl+Shift+K"],
  ["quote", "❝", ""],
  ["list", "☰", ""],
];

/** The toolbar. */
export function Toolbar({ onMark }: { readonly onMark: (mark: Mark) => void }) {
  const s = useStrings(strings);
  return (
    <div className="toolbar" role="toolbar" aria-label={s.formatting}>
      {marks.map(([mark, sign, key]) => (
        <button
          key={mark}
          type="button"
          className={`toolbar-mark toolbar-${mark}`}
          aria-label={s[mark]}
          title={key === "" ? s[mark] : `${s[mark]} (${key})`}
          // The field keeps the focus, and with it the selection.
          onPointerDown={(event) => event.preventDefault()}
          onClick={() => onMark(mark)}
        >
          {sign}
        </button>
      ))}
    </div>
  );
}
