// The two switches that everybody looks for: the language and the colours.
import { useWords } from "../i18n/context.tsx";
import { languageNames } from "../i18n/language.ts";
import { roveFocus } from "../ui/roving.ts";
import { setPrefs, usePrefs, type Prefs } from "./prefs.ts";

/** Language and appearance, each one choice of three. Within a menu they are members of it. */
export function AppearanceSettings({ inMenu = false }: { inMenu?: boolean }) {
  const t = useWords();
  const prefs = usePrefs();
  return (
    <div className="appearance">
      <Choice<Prefs["language"]>
        inMenu={inMenu}
        label={t.language}
        value={prefs.language}
        options={[
          ["auto", t.languageAuto],
          ["en", languageNames.en],
          ["zh", languageNames.zh],
        ]}
        onChange={(language) => setPrefs({ language })}
      />
      <Choice<Prefs["theme"]>
        inMenu={inMenu}
        label={t.theme}
        value={prefs.theme}
        options={[
          ["auto", t.themeAuto],
          ["light", t.themeLight],
          ["dark", t.themeDark],
        ]}
        onChange={(theme) => setPrefs({ theme })}
      />
    </div>
  );
}

interface ChoiceProps<Value extends string> {
  readonly inMenu: boolean;
  readonly label: string;
  readonly value: Value;
  readonly options: readonly (readonly [Value, string])[];
  readonly onChange: (value: Value) => void;
}

function Choice<Value extends string>({ inMenu, label, value, options, onChange }: ChoiceProps<Value>) {
  const role = inMenu ? "menuitemradio" : "radio";
  return (
    <div
      className="segments"
      role={inMenu ? "group" : "radiogroup"}
      aria-label={label}
      onKeyDown={(event) => {
        if (!roveFocus(event.currentTarget, `[role=${role}]`, event.key, "horizontal")) return;
        event.preventDefault();
        // A radio button is chosen by going to it, a member of a menu by pressing it.
        const focused = document.activeElement;
        if (!inMenu && focused instanceof HTMLElement) focused.click();
      }}
    >
      {options.map(([option, text]) => (
        <button
          key={option}
          type="button"
          role={role}
          aria-checked={option === value}
          tabIndex={!inMenu && option === value ? 0 : -1}
          lang={option === "zh" ? "zh-CN" : option === "en" ? "en" : undefined}
          onClick={() => onChange(option)}
        >
          {text}
        </button>
      ))}
    </div>
  );
}
