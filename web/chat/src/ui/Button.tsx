// Buttons. One that shows an icon only has a name for everybody who does not
// see it, which is its tooltip too.
import type { ButtonHTMLAttributes, Ref } from "react";
import { Icon, type IconName } from "./Icon.tsx";

type Plain = Omit<ButtonHTMLAttributes<HTMLButtonElement>, "aria-label" | "title" | "type" | "children">;

interface IconButtonProps extends Plain {
  readonly icon: IconName;
  readonly label: string;
  readonly size?: number;
  readonly ref?: Ref<HTMLButtonElement> | undefined;
}

/** A round button with an icon. */
export function IconButton({ icon, label, size = 22, className, ref, ...rest }: IconButtonProps) {
  return (
    <button ref={ref} type="button" className={`icon-button ${className ?? ""}`} aria-label={label} title={label} {...rest}>
      <Icon name={icon} size={size} />
    </button>
  );
}

interface ButtonProps extends Omit<ButtonHTMLAttributes<HTMLButtonElement>, "type"> {
  readonly kind?: "primary" | "plain" | "danger" | "soft";
  readonly submit?: boolean;
  readonly busy?: boolean;
}

/** A button with words. While busy it cannot be pressed again, and says so. */
export function Button({ kind = "plain", submit = false, busy = false, className, children, disabled, ...rest }: ButtonProps) {
  return (
    <button
      type={submit ? "submit" : "button"}
      className={`button button-${kind} ${className ?? ""}`}
      disabled={(disabled ?? false) || busy}
      aria-busy={busy || undefined}
      {...rest}
    >
      {busy ? <Spinner /> : null}
      {children}
    </button>
  );
}

/** Something is going on. The text beside it says what. */
export function Spinner() {
  return <span className="spinner" aria-hidden="true" />;
}
