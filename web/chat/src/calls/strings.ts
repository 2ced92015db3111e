// Words that all parts of a call share.
import { defineStrings } from "../i18n/strings.ts";

export const strings = defineStrings({
  en: {
    call: "Call",
    hangUp: "Hang up",
    connecting: "Connecting…",
  },
  zh: {
    call: "通话",
    hangUp: "挂断",
    connecting: "正在接通…",
  },
});
