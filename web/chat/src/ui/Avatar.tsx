// The round sign of a user or a group: a colour from the id, letters from the
// name, and over them the picture of a person one knows, once it is there.
import { memo, useState } from "react";
import { hue, initials } from "../format/names.ts";
import { usePicture } from "../people/names.tsx";
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
  const picture = usePicture(id);
  const [broken, setBroken] = useState("");
  return (
    <span className={`avatar avatar-${size} ${notes ? "avatar-notes" : `avatar-hue-${hue(id)}`}`} aria-hidden="true">
      <span className="avatar-letters">{notes ? <Icon name="notes" size={size === "xl" ? 40 : 24} /> : initials(name)}</span>
      {picture !== "" && picture !== broken && !notes ? <img className="avatar-picture" src={picture} alt="" loading="lazy" decoding="async" referrerPolicy="no-referrer" onError={() => setBroken(picture)} /> : null}
      {online ? <span className="avatar-online" /> : null}
    </span>
  );
});
