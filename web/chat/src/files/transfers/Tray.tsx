// What is on its way in other conversations than the one that is seen: a strip
// with how far it is, and a list that leads there.
import { useState } from "react";
import { go } from "../../app/route.ts";
import { conversationName } from "../../format/describe.ts";
import { useWords } from "../../i18n/context.tsx";
import { useStrings } from "../../i18n/strings.ts";
import { useClient } from "../../live/context.tsx";
import { useNames } from "../../people/names.tsx";
import { placeOf, Popover, type MenuPlace } from "../../ui/Menu.tsx";
import type { Transfer } from "../sdk.ts";
import { percent } from "../sizes.ts";
import { strings as sizeStrings } from "../strings.ts";
import { Ring } from "./Ring.tsx";
import { strings } from "./strings.ts";
import { together } from "./together.ts";
import { TransferBar } from "./TransferParts.tsx";
import { useTransfers } from "./useTransfers.ts";
import { transferLine } from "./words.ts";
import "./transfers.css";

/** The strip; nothing when there is nothing. */
export function Tray({ current }: { current: string | undefined }) {
  const s = useStrings(strings);
  const sizes = useStrings(sizeStrings);
  const all = useTransfers().filter(({ conversation, state }) => conversation !== current && state !== "sent");
  const [place, setPlace] = useState<MenuPlace>();
  if (all.length === 0) return null;
  const sum = together(all);
  const failed = sum.state === "failed";
  return (
    <div className="tray" role="region" aria-label={s.title} data-failed={failed}>
      {failed ? null : <Ring percent={percent(sum.sent, sum.size)} label={s.all} size={34} />}
      <span className="tray-text">
        <strong>{failed ? s.trayFailed(all.length) : s.tray(all.length)}</strong>
        {failed ? null : <span>{transferLine(sum, s, sizes)}</span>}
      </span>
      <button type="button" className="button button-plain" aria-haspopup="dialog" aria-expanded={place !== undefined} onClick={(event) => setPlace(placeOf(event.currentTarget))}>
        {s.show}
      </button>
      {place ? (
        <Popover place={place} label={s.title} className="tray-list" align="end" onClose={() => setPlace(undefined)}>
          <ul role="list">
            {all.map((transfer) => (
              <TrayItem key={transfer.id} transfer={transfer} onGo={() => setPlace(undefined)} />
            ))}
          </ul>
        </Popover>
      ) : null}
    </div>
  );
}

function TrayItem({ transfer, onGo }: { transfer: Transfer; onGo: () => void }) {
  const t = useWords();
  const s = useStrings(strings);
  const client = useClient();
  const nameOf = useNames();
  const { conversation, items, options } = transfer;
  const name = conversationName(client.conversation.get(conversation), t, nameOf);
  const thread = options?.threadSeq;
  return (
    <li className="tray-item">
      <button
        type="button"
        className="tray-go"
        title={s.goTo(name)}
        onClick={() => {
          onGo();
          go({ at: "chat", id: conversation, ...(thread ? { thread } : {}) });
        }}
      >
        <strong dir="auto">{name}</strong>
        <span dir="auto">{s.files(items.length, items[0]?.name ?? "")}</span>
      </button>
      <TransferBar transfer={transfer} />
    </li>
  );
}
