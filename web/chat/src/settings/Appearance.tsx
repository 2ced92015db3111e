// The two switches that everybody looks for: the language and the colours.
import { useWords } from "../i18n/context.tsx";
import { languageNames } from "../i18n/language.ts";
import { roveFocus } from "../ui/roving.ts";
import { setPrefs, usePrefs, type Prefs } from "./prefs.ts";

/** Language and appearance, each one choice of three. */
export function AppearanceSettings() {
  const t = useWords();
  const prefs = usePrefs();
  return (
    <div className="appearance">
      <Choice<Prefs["language"]>
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
  readonly label: string;
  readonly value: Value;
  readonly options: readonly (readonly [Value, string])[];
  readonly onChange: (value: Value) => void;
}

function Choice<Value extends string>({ label, value, options, onChange }: ChoiceProps<Value>) {
  return (
    <div
      className="segments"
      role="radiogroup"
      aria-label={label}
      onKeyDown={(event) => {
        if (roveFocus(event.currentTarget, "[role=radio]", event.key, "horizontal")) {
          event.preventDefault();
          const focused = document.activeElement;
          if (focused instanceof HTMLElement) focused.click();
        }
      }}
    >
      {options.map(([option, text]) => (
        <button
          key={option}
          type="button"
          role="radio"
          aria-checked={option === value}
          tabIndex={option === value ? 0 : -1}
          lang={option === "zh" ? "zh-CN" : option === "en" ? "en" : undefined}
          onClick={() => onChange(option)}
        >
          {text}
        </button>
      ))}
    </div>
  );
}
