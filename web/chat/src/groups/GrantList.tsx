// Check boxes for what members, admins, or those with a role may do.
import { grantNames, type Grant } from "@skein/client/groups";
import { useStrings } from "../i18n/strings.ts";
import { strings } from "./strings.ts";

interface GrantListProps {
  readonly title: string;
  readonly grants: readonly Grant[];
  /** What the user may hand out. */
  readonly mine: (grant: Grant) => boolean;
  readonly onChange: (grants: readonly Grant[]) => void;
}

/** The key of a grant's words. */
export function grantKey(grant: Grant): `g${Capitalize<Grant>}` {
  return `g${grant[0]?.toUpperCase() ?? ""}${grant.slice(1)}` as `g${Capitalize<Grant>}`;
}

/** One box a grant. */
export function GrantList({ title, grants, mine, onChange }: GrantListProps) {
  const s = useStrings(strings);
  return (
    <fieldset className="grants">
      <legend className="field-label">{title}</legend>
      {grantNames.map((grant) => (
        <label key={grant} className="check">
          <input
            type="checkbox"
            checked={grants.includes(grant)}
            disabled={!mine(grant)}
            onChange={(event) => onChange(event.target.checked ? [...grants, grant] : grants.filter((other) => other !== grant))}
          />
          <span>{s[grantKey(grant)]}</span>
        </label>
      ))}
    </fieldset>
  );
}
