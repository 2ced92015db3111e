// The button beside the composer's field: send later, how long it stays, and
// what waits to be sent.
import type { Conversation } from "@skein/client";
import type { Scheduled } from "@skein/client/timed";
import { useCallback, useEffect, useState } from "react";
import { useStrings } from "../i18n/strings.ts";
import { useClient } from "../live/context.tsx";
import { IconButton } from "../ui/Button.tsx";
import { MenuItem, placeOf, Popover, type MenuPlace } from "../ui/Menu.tsx";
import { endings, type Ending } from "./ends.ts";
import { ScheduledDialog } from "./ScheduledDialog.tsx";
import { ScheduleDialog } from "./ScheduleDialog.tsx";
import { strings } from "./strings.ts";

interface WhenMenuProps {
  readonly conversation: Conversation;
  readonly ending: Ending;
  readonly onEnding: (ending: Ending) => void;
  /** There is something to send. */
  readonly ready: boolean;
  readonly onSchedule: (at: Date) => Promise<void>;
}

/** What waits in a conversation; undefined until it is known. */
export function useScheduled(conversation: Conversation): { readonly list: readonly Scheduled[] | undefined; readonly load: () => void } {
  const { timed } = useClient();
  const [list, setList] = useState<readonly Scheduled[]>();
  const load = useCallback(() => {
    timed.list().then(
      (all) => setList(all.filter((one) => one.conversation === conversation.id)),
      () => undefined, // offline: what is known stays
    );
  }, [timed, conversation]);
  useEffect(() => {
    load();
    return timed.onChange(load);
  }, [timed, load]);
  return { list, load };
}

/** The button with its menu and dialogs. */
export function WhenMenu({ conversation, ending, onEnding, ready, onSchedule }: WhenMenuProps) {
  const t = useStrings(strings);
  const [place, setPlace] = useState<MenuPlace>();
  const [open, setOpen] = useState<"schedule" | "list">();
  const { list, load } = useScheduled(conversation);
  const close = () => setPlace(undefined);
  const chosen = endings.findIndex((e) => JSON.stringify(e.ending) === JSON.stringify(ending));
  const waits = list?.length ?? 0;
  return (
    <>
      <IconButton
        icon={ending.burnAfterS ? "flame" : "clock"}
        size={22}
        label={t.how}
        className={`composer-when ${chosen > 0 || waits > 0 ? "composer-when-on" : ""}`}
        aria-haspopup="menu"
        aria-expanded={place !== undefined}
        onClick={(event) => setPlace(placeOf(event.currentTarget))}
      />
      {place ? (
        <Popover place={place} label={t.how} role="menu" align="end" className="menu" onClose={close}>
          {ready ? (
            <MenuItem
              icon="clock"
              label={t.schedule}
              onSelect={() => {
                close();
                setOpen("schedule");
              }}
            />
          ) : null}
          <MenuItem
            icon="history"
            label={waits > 0 ? `${t.list} (${waits})` : t.list}
            onSelect={() => {
              close();
              setOpen("list");
            }}
          />
          {endings
            .filter((e) => !e.burns || conversation.kind === "direct")
            .map((e) => (
              <MenuItem
                key={e.key}
                label={t[e.key]}
                checked={endings[chosen]?.key === e.key}
                onSelect={() => {
                  onEnding(e.ending);
                  close();
                }}
              />
            ))}
        </Popover>
      ) : null}
      {open === "schedule" ? <ScheduleDialog onClose={() => setOpen(undefined)} onChoose={onSchedule} /> : null}
      {open === "list" ? <ScheduledDialog list={list} load={load} onClose={() => setOpen(undefined)} /> : null}
    </>
  );
}
