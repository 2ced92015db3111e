// What a key means in the composer. It is a pure function, because the one
// rule that must never break (an input method's Enter confirms a word, it does
// not send) depends on which browser says what, and each of those is a test.

/** The parts of a KeyboardEvent that matter. */
export interface Key {
  readonly key: string;
  readonly keyCode: number;
  readonly isComposing: boolean;
  readonly shiftKey: boolean;
  readonly ctrlKey: boolean;
  readonly metaKey: boolean;
  readonly altKey: boolean;
}

/** Where the composer is when the key comes. */
export interface ComposerState {
  /** Nothing is typed. */
  readonly empty: boolean;
  /** Something can be cancelled: a reply, an edit. */
  readonly cancellable: boolean;
  /** A list of people to mention is open. */
  readonly mentioning: boolean;
  /** The keyboard is on the screen: Enter makes a line, a button sends. */
  readonly touch: boolean;
  /** The composition's end was seen in this very tick: see below. */
  readonly justComposed: boolean;
}

/** What to do. `none` leaves the key to the browser. */
export type ComposerAction =
  | "none"
  | "send"
  | "editLast"
  | "cancel"
  | "mentionNext"
  | "mentionPrevious"
  | "mentionPick"
  | "mentionClose";

/**
 * Decides what a key does.
 *
 * While an input method composes, every key is its own: Chrome and Firefox set
 * `isComposing`, older ones and Safari only the key code 229. Safari also ends
 * the composition before the Enter that ended it; `justComposed` covers a
 * Safari that gives that Enter its real code.
 */
export function composerKey(key: Key, state: ComposerState): ComposerAction {
  if (key.isComposing || key.keyCode === 229 || key.key === "Process") return "none";
  if (state.mentioning) {
    if (key.key === "ArrowDown") return "mentionNext";
    if (key.key === "ArrowUp") return "mentionPrevious";
    if (key.key === "Escape") return "mentionClose";
    if ((key.key === "Enter" || key.key === "Tab") && !state.justComposed && !key.shiftKey) return "mentionPick";
  }
  if (key.key === "Enter") {
    if (state.justComposed || key.shiftKey || key.altKey) return "none";
    if (state.touch && !key.ctrlKey && !key.metaKey) return "none";
    return "send";
  }
  if (key.key === "Escape" && state.cancellable) return "cancel";
  if (key.key === "ArrowUp" && state.empty && !key.shiftKey && !key.ctrlKey && !key.metaKey && !key.altKey) return "editLast";
  return "none";
}
