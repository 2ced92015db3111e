// How far an own message has come: a clock, one tick, two ticks, two ticks on a ground of their own, or a warning.
import type { Message } from "@skein/client";
import { useWords } from "../i18n/context.tsx";

interface TicksProps {
  readonly message: Message;
  /** The furthest seq that somebody else has read. */
  readonly readUpTo: number;
  /** The furthest seq that the other user of a direct conversation has on a device. */
  readonly deliveredUpTo: number;
  /** Notes to self have nobody else to read them. */
  readonly self?: boolean;
  /** The files of it could not be sent, whatever the message's own state. */
  readonly failed?: boolean;
}

/** The state of delivery as a sign with a name. */
export function Ticks({ message, readUpTo, deliveredUpTo, self = false, failed = false }: TicksProps) {
  const t = useWords();
  if (failed || message.state === "failed") {
    return (
      <span className="ticks ticks-failed" role="img" aria-label={t.stateFailed} title={t.stateFailed}>
        <svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true">
          <circle cx="8" cy="8" r="7" fill="currentColor" />
          <path d="M8 4.2v4.6M8 11.4v.2" stroke="var(--surface)" strokeWidth="1.8" strokeLinecap="round" />
        </svg>
      </span>
    );
  }
  if (message.state === "sending") {
    return (
      <span className="ticks" role="img" aria-label={t.stateSending} title={t.stateSending} data-state="sending">
        <svg width="14" height="14" viewBox="0 0 16 16" fill="none" stroke="currentColor" strokeWidth="1.6" strokeLinecap="round" aria-hidden="true">
          <circle cx="8" cy="8" r="6" />
          <path d="M8 4.8V8l2.2 1.4" />
        </svg>
      </span>
    );
  }
  const upTo = (seq: number): boolean => !self && message.seq !== undefined && message.seq <= seq;
  const state = upTo(readUpTo) ? "read" : upTo(deliveredUpTo) ? "delivered" : "sent";
  const label = { read: t.stateRead, delivered: t.stateDelivered, sent: t.stateSent }[state];
  return (
    <span className={`ticks ${state === "read" ? "ticks-read" : ""}`} role="img" aria-label={label} title={label} data-state={state}>
      <svg width="19" height="14" viewBox="0 0 19 14" fill="none" stroke="currentColor" strokeWidth="1.6" strokeLinecap="round" strokeLinejoin="round" aria-hidden="true">
        {state === "read" ? <rect x="0" y="0" width="19" height="14" rx="7" fill="currentColor" stroke="none" /> : null}
        {state === "sent" ? <path d="M4.5 7.5 8 11 15 3.2" /> : <path d={state === "read" ? "M3.6 7.4 6.3 10 11.2 4.2M9 9.6l.5.4L14.6 4.2" : "M1.5 7.5 5 11 12 3.2M8.3 10.4l.8.6L16.5 3.2"} stroke={state === "read" ? "var(--surface)" : undefined} />}
      </svg>
    </span>
  );
}
