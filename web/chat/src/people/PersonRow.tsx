// One person in a list: picture, name, and what may be done about them.
import type { ReactNode } from "react";
import { Avatar } from "../ui/Avatar.tsx";
import { useNames } from "./names.tsx";

interface PersonRowProps {
  readonly user: string;
  readonly hint?: string | undefined;
  readonly onOpen?: (() => void) | undefined;
  readonly children?: ReactNode;
}

/** The row. */
export function PersonRow({ user, hint, onOpen, children }: PersonRowProps) {
  const name = useNames()(user);
  const text = (
    <>
      <Avatar id={user} name={name} />
      <span className="person-name">
        {name}
        {hint ? <span className="hint person-hint">{hint}</span> : null}
      </span>
    </>
  );
  return (
    <li className={children ? "person person-acting" : "person"} data-user={user}>
      {onOpen ? (
        <button type="button" className="person-open" onClick={onOpen}>
          {text}
        </button>
      ) : (
        text
      )}
      {children ? <span className="person-actions">{children}</span> : null}
    </li>
  );
}
