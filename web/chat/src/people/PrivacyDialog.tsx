// Who may see what, who may find one, and what a request does. Each change is
// stored at once.
import type { Privacy } from "@skein/client/people";
import { useEffect, useId, useState } from "react";
import { useStrings } from "../i18n/strings.ts";
import { useClient } from "../live/context.tsx";
import { Spinner } from "../ui/Button.tsx";
import { Dialog } from "../ui/Dialog.tsx";
import { useToasts } from "../ui/Toasts.tsx";
import { strings } from "./strings.ts";

/** The dialog. */
export function PrivacyDialog({ onClose }: { onClose: () => void }) {
  const s = useStrings(strings);
  const { people } = useClient();
  const { fail } = useToasts();
  const id = useId();
  const [privacy, setPrivacy] = useState<Privacy>();
  useEffect(() => {
    const abort = new AbortController();
    people.privacy({ signal: abort.signal }).then(setPrivacy, (error: unknown) => {
      if (!abort.signal.aborted) fail(error);
    });
    return () => abort.abort();
  }, [people, fail]);
  const change = (part: Partial<Privacy>) => {
    people.updatePrivacy(part).then(setPrivacy, fail);
  };
  const seen = [
    ["everybody", s.everybody],
    ["contacts", s.onlyContacts],
    ["nobody", s.nobody],
  ] as const;
  const rows = [
    ["name", s.whoName],
    ["avatarUrl", s.whoAvatar],
    ["bio", s.whoBio],
    ["gender", s.whoGender],
    ["birthday", s.whoBirthday],
    ["language", s.whoLanguage],
    ["custom", s.whoCustom],
    ["lastSeen", s.whoLastSeen],
    ["findable", s.whoFindable],
  ] as const;
  const adding = [
    ["anyone", s.addAnyone],
    ["request", s.addRequest],
    ["nobody", s.addNobody],
  ] as const;
  return (
    <Dialog title={s.privacy} onClose={onClose}>
      <p className="hint">{s.privacyText}</p>
      {privacy ? (
        <div className="privacy">
          {rows.map(([field, label]) => (
            <div key={field} className="privacy-row">
              <label htmlFor={id + field}>{label}</label>
              <select id={id + field} className="input" value={privacy[field]} onChange={(event) => change({ [field]: event.target.value })}>
                {seen.map(([value, text]) => (
                  <option key={value} value={value}>
                    {text}
                  </option>
                ))}
              </select>
              {field === "lastSeen" ? <span className="hint">{s.lastSeenText}</span> : null}
            </div>
          ))}
          <div className="privacy-row">
            <label htmlFor={`${id}contacts`}>{s.whoContacts}</label>
            <select id={`${id}contacts`} className="input" value={privacy.contacts} onChange={(event) => change({ contacts: event.target.value as Privacy["contacts"] })}>
              {adding.map(([value, text]) => (
                <option key={value} value={value}>
                  {text}
                </option>
              ))}
            </select>
          </div>
          <div className="privacy-row">
            <label htmlFor={`${id}receipts`}>{s.receipts}</label>
            <select id={`${id}receipts`} className="input" value={privacy.readReceipts} onChange={(event) => change({ readReceipts: event.target.value as Privacy["readReceipts"] })}>
              <option value="send">{s.receiptsSend}</option>
              <option value="hide">{s.receiptsHide}</option>
            </select>
            <span className="hint">{s.receiptsText}</span>
          </div>
        </div>
      ) : (
        <Spinner />
      )}
    </Dialog>
  );
}
