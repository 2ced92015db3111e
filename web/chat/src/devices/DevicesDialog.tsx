// Where one is signed in, and signing a device out from afar.
import type { Device } from "@skein/client";
import { useCallback, useEffect, useState } from "react";
import { useWorkspace } from "../app/workspaceContext.ts";
import { ago } from "../format/time.ts";
import { useSpeech } from "../i18n/context.tsx";
import { useStrings } from "../i18n/strings.ts";
import { useClient } from "../live/context.tsx";
import { strings } from "../people/strings.ts";
import { useNow } from "../live/now.ts";
import { Button, Spinner } from "../ui/Button.tsx";
import { Confirm, Dialog } from "../ui/Dialog.tsx";
import { Icon, type IconName } from "../ui/Icon.tsx";
import { describeError, useToasts } from "../ui/Toasts.tsx";

function sign(device: Device): IconName {
  if (device.platform === "android" || device.platform === "ios") return "phone";
  return device.platform === "server" ? "server" : "device";
}

/** The list of devices. */
export function DevicesDialog({ onClose }: { onClose: () => void }) {
  const { t, tag } = useSpeech();
  const client = useClient();
  const s = useStrings(strings);
  const { leave, open } = useWorkspace();
  const { fail } = useToasts();
  const now = useNow("minute");
  const [devices, setDevices] = useState<readonly Device[]>();
  const [failed, setFailed] = useState("");
  const [asking, setAsking] = useState<Device>();
  const [busy, setBusy] = useState(false);

  const load = useCallback(
    (signal?: AbortSignal) =>
      client.devices.list({ signal }).then(
        (list) => setDevices([...list].sort((a, b) => Number(b.current) - Number(a.current) || b.lastSeen - a.lastSeen)),
        (error: unknown) => {
          if (!signal?.aborted) setFailed(describeError(error, t).text);
        },
      ),
    [client, t],
  );
  useEffect(() => {
    const abort = new AbortController();
    void load(abort.signal);
    return () => abort.abort();
  }, [load]);

  const signOut = async (device: Device) => {
    setBusy(true);
    try {
      if (device.current) leave("erase");
      else {
        await client.devices.signOut(device.id);
        await load();
      }
      setAsking(undefined);
    } catch (error) {
      fail(error);
    } finally {
      setBusy(false);
    }
  };

  const nameOf = (device: Device) => (device.name === "" ? device.id : device.name);
  return (
    <Dialog title={t.devicesTitle} onClose={onClose}>
      <p className="hint">{t.devicesText}</p>
      <Button kind="soft" onClick={() => open({ dialog: "link" })}>
        {s.link}
      </Button>
      {failed !== "" ? <p className="field-error" role="alert">{failed}</p> : null}
      {!devices && failed === "" ? <Spinner /> : null}
      <ul className="devices" role="list">
        {devices?.map((device) => (
          <li key={device.id} className="device" data-device={device.id}>
            <span className="device-sign">
              <Icon name={sign(device)} />
            </span>
            <span className="device-text">
              <strong>{nameOf(device)}</strong>
              <span className="hint">
                {device.current ? `${t.deviceThis} · ` : ""}
                {device.online ? t.deviceNow : t.deviceSeen(ago(device.lastSeen, now, tag, t))}
              </span>
            </span>
            <Button kind="danger" aria-label={t.deviceSignOut(nameOf(device))} onClick={() => setAsking(device)}>
              {t.signOut}
            </Button>
          </li>
        ))}
      </ul>
      {devices?.length === 1 ? <p className="hint">{t.deviceNone}</p> : null}
      {asking ? (
        <Confirm
          title={asking.current ? t.signOutAsk : t.deviceSignOutAsk(nameOf(asking))}
          text={asking.current ? t.signOutText : t.devicesText}
          action={t.signOut}
          danger
          busy={busy}
          onClose={() => setAsking(undefined)}
          onConfirm={() => void signOut(asking)}
        />
      ) : null}
    </Dialog>
  );
}
