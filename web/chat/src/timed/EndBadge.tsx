// What a message with an end shows of it beside its time, and in its place.
import type { Message } from "@skein/client";
import type { ReactNode } from "react";
import { useStrings } from "../i18n/strings.ts";
import { useNow } from "../live/now.ts";
import { Icon } from "../ui/Icon.tsx";
import { uncover, useUncovered } from "./covered.ts";
import { useLeft, useShort } from "./ends.ts";
import { strings } from "./strings.ts";

/** A flame, or a clock with the time that is left. */
export function EndBadge({ message }: { message: Message }) {
  const t = useStrings(strings);
  const short = useShort();
  const readAt = useUncovered(message.key);
  useNow(readAt === undefined ? "minute" : "second");
  const ends = useLeft(message);
  const burnS = message.delivery?.burnAfterS ?? 0;
  const left = Math.min(ends, readAt === undefined || burnS === 0 ? Number.POSITIVE_INFINITY : Math.max(1, readAt + burnS * 1000 - Date.now()));
  const burns = burnS > 0;
  if (left === Number.POSITIVE_INFINITY && !burns) return null;
  const label = left === Number.POSITIVE_INFINITY ? t.burns : t.leaves(short(left));
  return (
    <span className="end-badge" role="img" aria-label={label} title={label} data-ends={burns ? "burn" : "ttl"}>
      <Icon name={burns ? "flame" : "clock"} size={13} />
      {left === Number.POSITIVE_INFINITY ? null : <span aria-hidden="true">{short(left)}</span>}
    </span>
  );
}

interface CoveredProps {
  readonly message: Message;
  readonly children: ReactNode;
}

/** Covers what burns after reading until its reader asks for it. */
export function Covered({ message, children }: CoveredProps) {
  const t = useStrings(strings);
  const open = useUncovered(message.key) !== undefined;
  if (message.mine || open || !message.delivery?.burnAfterS) return children;
  return (
    <button type="button" className="burn-cover" onClick={() => uncover(message.key)}>
      <Icon name="flame" size={18} /> {t.reveal}
    </button>
  );
}

/** Stands where a message was whose time is up. */
export function Expired() {
  const t = useStrings(strings);
  return (
    <div className="event-line">
      <span data-expired="">{t.expired}</span>
    </div>
  );
}
