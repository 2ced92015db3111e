// The round sign of a user or a group: a colour from the id, letters from the
// name. No picture is loaded, so none can fail.
import { memo } from "react";
import { hue, initials } from "../format/names.ts";
import { Icon } from "./Icon.tsx";

interface AvatarProps {
  /** What the colour is made from. */
  readonly id: string;
  readonly name: string;
  readonly size?: "s" | "m" | "l" | "xl";
  /** Shows the dot. */
  readonly online?: boolean | undefined;
  /** The notes to self have a sign of their own. */
  readonly notes?: boolean;
}

/** An avatar. It is decoration: the name stands beside it. */
export const Avatar = memo(function Avatar({ id, name, size = "m", online = false, notes = false }: AvatarProps) {
  return (
    <span className={`avatar avatar-${size} ${notes ? "avatar-notes" : `avatar-hue-${hue(id)}`}`} aria-hidden="true">
      <span className="avatar-letters">{notes ? <Icon name="notes" size={size === "xl" ? 40 : 24} /> : initials(name)}</span>
      {online ? <span className="avatar-online" /> : null}
    </span>
  );
});
