// Menus that open at a button or at a point, and stay within the window.
import { useEffect, useLayoutEffect, useRef, type ReactNode } from "react";
import { createPortal } from "react-dom";
import { Icon, type IconName } from "./Icon.tsx";
import { roveFocus } from "./roving.ts";

/** Where a menu opens: the rectangle that it belongs to, in the window's pixels. */
export interface MenuPlace {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** The place of an element. */
export function placeOf(element: Element): MenuPlace {
  const { left, top, right, bottom } = element.getBoundingClientRect();
  return { left, top, right, bottom };
}

/** The place of a pointer. */
export function placeAt(x: number, y: number): MenuPlace {
  return { left: x, top: y, right: x, bottom: y };
}

interface PopoverProps {
  readonly place: MenuPlace;
  readonly onClose: () => void;
  readonly children: ReactNode;
  readonly className?: string;
  /** Which edge of the place it keeps to. */
  readonly align?: "start" | "end";
  readonly label: string;
  readonly role?: "menu" | "dialog";
}

/** Puts a box below its place, above it where there is no room below, and always within the window. */
function putAt(box: HTMLElement, place: MenuPlace, align: "start" | "end"): void {
  const margin = 8;
  const { offsetWidth: width, offsetHeight: height } = box;
  const left = align === "start" ? place.left : place.right - width;
  const below = place.bottom + 4;
  const above = place.top - height - 4;
  const top = below + height + margin <= window.innerHeight || above < margin ? below : above;
  box.style.left = `${Math.max(margin, Math.min(left, window.innerWidth - width - margin))}px`;
  box.style.top = `${Math.max(margin, Math.min(top, window.innerHeight - height - margin))}px`;
}

/** A floating box that closes on Escape, on a press outside and on Tab; the focus goes back to where it was. */
export function Popover({ place, onClose, children, className = "", align = "start", label, role = "dialog" }: PopoverProps) {
  const ref = useRef<HTMLDivElement>(null);

  useLayoutEffect(() => {
    const put = () => {
      if (ref.current) putAt(ref.current, place, align);
    };
    put();
    // The keyboard of a phone that goes away changes the window's height.
    window.addEventListener("resize", put);
    return () => window.removeEventListener("resize", put);
  }, [place, align]);

  const close = useRef(onClose);
  close.current = onClose;
  useEffect(() => {
    const before = document.activeElement;
    const box = ref.current;
    box?.querySelector<HTMLElement>("[data-autofocus], [role=menuitem], button, input")?.focus();
    const onDown = (event: Event) => {
      if (event.target instanceof Node && !box?.contains(event.target)) close.current();
    };
    document.addEventListener("pointerdown", onDown, true);
    return () => {
      document.removeEventListener("pointerdown", onDown, true);
      if (box?.contains(document.activeElement) || document.activeElement === document.body) {
        if (before instanceof HTMLElement && before.isConnected) before.focus();
      }
    };
  }, []);

  return createPortal(
    <div
      ref={ref}
      className={`popover ${className}`}
      role={role}
      aria-label={label}
      onKeyDown={(event) => {
        event.stopPropagation();
        if (event.key === "Escape" || (event.key === "Tab" && role === "menu")) {
          event.preventDefault();
          onClose();
        } else if (role === "menu" && roveFocus(event.currentTarget, "[role=menuitem], [role=menuitemradio]", event.key, "vertical")) {
          event.preventDefault();
        }
      }}
      onContextMenu={(event) => event.preventDefault()}
    >
      {children}
    </div>,
    document.body,
  );
}

interface MenuItemProps {
  readonly icon?: IconName;
  readonly label: string;
  readonly onSelect: () => void;
  readonly danger?: boolean;
  /** One of several choices, and whether it is the one. */
  readonly checked?: boolean;
  /** A key that does the same. */
  readonly shortcut?: string;
}

/** One line of a menu. */
export function MenuItem({ icon, label, onSelect, danger = false, checked, shortcut }: MenuItemProps) {
  return (
    <button
      type="button"
      role={checked === undefined ? "menuitem" : "menuitemradio"}
      aria-checked={checked}
      tabIndex={-1}
      className={`menu-item ${danger ? "menu-item-danger" : ""}`}
      onClick={onSelect}
    >
      {icon ? <Icon name={icon} size={20} /> : <span className="menu-item-gap" />}
      <span className="menu-item-label">{label}</span>
      {checked ? <Icon name="check" size={18} /> : null}
      {shortcut ? <kbd>{shortcut}</kbd> : null}
    </button>
  );
}
