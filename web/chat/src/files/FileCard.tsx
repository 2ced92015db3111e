// A file that is saved rather than shown.
import type { ReactNode } from "react";
import { useStrings } from "../i18n/strings.ts";
import { Icon } from "../ui/Icon.tsx";
import { useFileOwner } from "./FileOwner.ts";
import { extensionOf, groupOf, shownName } from "./kinds.ts";
import type { Attachment } from "./sdk.ts";
import { fileSize } from "./sizes.ts";
import { strings } from "./strings.ts";
import { useFileUrl } from "./useSource.ts";

interface FileCardProps {
  readonly file: Attachment;
  /** In the place of the sign: how far it has been sent. */
  readonly sign?: ReactNode;
  /** In the place of the size. */
  readonly line?: ReactNode;
}

/** The sign of a file: its ending on the colour of its kind. */
export function FileSign({ file }: { file: Pick<Attachment, "mime" | "name"> }) {
  const extension = extensionOf(file.name);
  return (
    <span className="file-sign" data-group={groupOf(file)} aria-hidden="true">
      {extension === "" ? <Icon name="file" size={22} /> : extension}
    </span>
  );
}

/** A name that is cut in its middle, so that its ending is always seen. */
export function FileName({ name: told }: { name: string }) {
  const name = shownName(told);
  const at = Math.max(name.length - 10, Math.ceil(name.length / 2));
  // Two halves of one letter stay together.
  const cut = /[\udc00-\udfff]/.test(name.charAt(at)) ? at - 1 : at;
  return (
    <strong className="file-name" dir="auto" title={name}>
      <span>{name.slice(0, cut)}</span>
      <span>{name.slice(cut)}</span>
    </strong>
  );
}

/** The card of an attachment; it saves the file when it is pressed. */
export function FileCard({ file, sign, line }: FileCardProps) {
  const s = useStrings(strings);
  const owner = useFileOwner();
  const save = useFileUrl(owner, file.file, { save: true });
  const host = /^https:\/\/([^/?#]+)/.exec(file.url)?.[1] ?? "";
  const body = (
    <>
      {sign ?? <FileSign file={file} />}
      <span className="card-text">
        <FileName name={file.name} />
        <small>{line ?? [file.size > 0 ? fileSize(file.size) : "", host].filter(Boolean).join(" · ")}</small>
      </span>
    </>
  );
  if (file.file === "" && file.url !== "") {
    return (
      <a className="card card-file" href={file.url} target="_blank" rel="noopener noreferrer nofollow">
        {body}
      </a>
    );
  }
  if (save === undefined || sign) return <div className="card card-file">{body}</div>;
  return (
    <a className="card card-file" href={save} download={shownName(file.name)} title={s.saveNamed(shownName(file.name))}>
      {body}
      <Icon name="save" size={20} />
    </a>
  );
}
