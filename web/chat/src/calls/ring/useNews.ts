// Says quietly why a ring has stopped, or what came while one was in another call.
import { useCallback, useRef } from "react";
import { useStrings } from "../../i18n/strings.ts";
import { useNames } from "../../people/names.tsx";
import { useToasts } from "../../ui/Toasts.tsx";
import type { News } from "../model.ts";
import { strings } from "./strings.ts";

/** Tells news, the same function always. `callBack` calls who was missed. */
export function useNews(callBack: (conversation: string, video: boolean) => void): (news: News) => void {
  const s = useStrings(strings);
  const nameOf = useNames();
  const { show } = useToasts();
  const now = useRef({ s, nameOf, show, callBack });
  now.current = { s, nameOf, show, callBack };
  return useCallback(({ call, reason }: News) => {
    const { s, nameOf, show, callBack } = now.current;
    const who = nameOf(call.invitedBy || call.starter);
    const action = { label: s.callBack, run: () => callBack(call.conversation, call.video) };
    switch (reason) {
      case "answeredElsewhere":
        return show({ text: s.newsAnsweredElsewhere });
      case "answeredTab":
        return show({ text: s.newsAnsweredTab });
      case "declinedElsewhere":
        return show({ text: s.newsDeclinedElsewhere });
      case "missed":
        return show({ text: s.newsMissed(who), action });
      case "engaged":
        return show({ text: s.newsEngaged(who), action, sticky: true });
      case "removed":
        return show({ text: s.newsRemoved });
      case "moved":
        return show({ text: s.newsMoved });
      case "lost":
        return show({ text: s.newsLost, action, bad: true });
      default:
        return show({ text: s.newsFailed, bad: true });
    }
  }, []);
}
