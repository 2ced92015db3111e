// Words that all parts of a call share.
import { defineStrings } from "../i18n/strings.ts";

export const strings = defineStrings({
  en: {
    call: "Call",
  },
  zh: {
    call: "通话",
  },
});
