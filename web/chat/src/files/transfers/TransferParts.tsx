// What lies on and below the files of a message that is on its way.
import { useSyncExternalStore } from "react";
import { useStrings } from "../../i18n/strings.ts";
import { useClient } from "../../live/context.tsx";
import { IconButton } from "../../ui/Button.tsx";
import { Icon } from "../../ui/Icon.tsx";
import type { Transfer } from "../sdk.ts";
import { fileSize, percent, sizeOf } from "../sizes.ts";
import { strings as sizeStrings } from "../strings.ts";
import { Ring } from "./Ring.tsx";
import { strings } from "./strings.ts";
import { transferLine, uploadError } from "./words.ts";
import "./transfers.css";

/** The transfer that a message of this device came from, while it is on its way; an empty id is of none. */
export function useTransferOf(conversation: string, id: string): Transfer | undefined {
  const { files } = useClient();
  return useSyncExternalStore(
    (listener) => files.onChange(listener),
    () => (id === "" ? undefined : files.transfers(conversation).find(({ clientId }) => clientId === id)),
  );
}

/** How far one file of it has come; undefined while nothing has been sent. */
function part(transfer: Transfer, index: number): number | undefined {
  const item = transfer.items[index];
  if (!item) return undefined;
  if (transfer.state === "sending") return 100;
  // What waits for a network does not look as if something were going on.
  return item.sent === 0 && !transfer.offline && transfer.state !== "paused" && transfer.state !== "uploading" ? undefined : percent(item.sent, item.size);
}

/** The ring of one file. */
export function ItemRing({ transfer, index }: { transfer: Transfer; index: number }) {
  const s = useStrings(strings);
  const name = transfer.items[index]?.name ?? "";
  if (transfer.state === "failed") {
    return (
      <span className="ring-failed" role="img" aria-label={`${s.failed}: ${name}`}>
        <Icon name="alert" size={26} />
      </span>
    );
  }
  return <Ring percent={part(transfer, index)} label={s.progress(name)} />;
}

/** Over a picture or a film. */
export function TransferOver({ transfer, index }: { transfer: Transfer; index: number }) {
  return (
    <span className="transfer-over" data-state={transfer.state}>
      <ItemRing transfer={transfer} index={index} />
    </span>
  );
}

/** How much of one file has gone; of a single one the line below says it. */
export function ItemLine({ transfer, index }: { transfer: Transfer; index: number }) {
  const s = useStrings(sizeStrings);
  const item = transfer.items[index];
  if (!item) return null;
  return transfer.items.length === 1 ? fileSize(item.size) : sizeOf(item.sent, item.size, s.of);
}

/** Below all files: how it goes, and what one can do about it. */
export function TransferBar({ transfer }: { transfer: Transfer }) {
  const { files } = useClient();
  const s = useStrings(strings);
  const sizes = useStrings(sizeStrings);
  const { id, state } = transfer;
  if (state === "failed") {
    return (
      <div className="transfer-bar transfer-failed" role="alert">
        <p>{uploadError(transfer.error, s)}</p>
        {transfer.error ? <p className="failed-hint">{[transfer.error.message, transfer.error.hint].filter(Boolean).join(" ")}</p> : null}
        <button type="button" onClick={() => files.retry(id)}>
          {s.retry}
        </button>
        <button type="button" onClick={() => files.cancel(id)}>
          {s.discard}
        </button>
      </div>
    );
  }
  return (
    <div className="transfer-bar" role="group" aria-label={s.all}>
      <span className="transfer-line">{transferLine(transfer, s, sizes)}</span>
      {state === "paused" ? (
        <IconButton icon="play" size={18} label={s.resume} onClick={() => files.resume(id)} />
      ) : state === "sending" || state === "sent" ? null : (
        <IconButton icon="pause" size={18} label={s.pause} onClick={() => files.pause(id)} />
      )}
      {state === "sending" || state === "sent" ? null : <IconButton icon="close" size={18} label={s.cancel} onClick={() => files.cancel(id)} />}
    </div>
  );
}
