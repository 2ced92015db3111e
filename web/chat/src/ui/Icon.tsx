// The app's icons: one stroke, one grid of 24, drawn for it. They are
// decoration; the control around one carries the name.

const paths = {
  menu: "M4 7h16M4 12h16M4 17h16",
  search: "M10.8 17.6a6.8 6.8 0 1 0 0-13.6 6.8 6.8 0 0 0 0 13.6zM15.9 15.9 20 20",
  back: "M14.5 5.5 8 12l6.5 6.5",
  close: "M6 6l12 12M18 6 6 18",
  more: "M12 5.6v.01M12 12v.01M12 18.4v.01",
  emoji: "M12 20.5a8.5 8.5 0 1 0 0-17 8.5 8.5 0 0 0 0 17zM8.4 13.8c1.7 3.2 5.5 3.2 7.2 0M9.2 9.4v.3M14.8 9.4v.3",
  reply: "M9.5 6 4 11.5 9.5 17M4.5 11.5H13c4 0 6.5 2.2 7 6.5",
  edit: "M4.5 19.5l.9-4L16 4.9a1.8 1.8 0 0 1 2.6 0l.5.5a1.8 1.8 0 0 1 0 2.6L8.5 18.6l-4 .9zM14 7l3 3",
  copy: "M9 9h9.5a1 1 0 0 1 1 1v9.5a1 1 0 0 1-1 1H9a1 1 0 0 1-1-1V10a1 1 0 0 1 1-1zM5 15.5H4.5a1 1 0 0 1-1-1V4.5a1 1 0 0 1 1-1H14a1 1 0 0 1 1 1V5",
  recall: "M4.5 9.5h9.2a5.3 5.3 0 0 1 0 10.6H8M8.5 5.2 4.2 9.5l4.3 4.3",
  history: "M4.2 12a7.8 7.8 0 1 1 2.3 5.5M4.2 12 2.6 9.8M4.2 12l2.3-1.7M12 8v4.3l2.8 1.7",
  eye: "M2.8 12S6 5.8 12 5.8 21.2 12 21.2 12 18 18.2 12 18.2 2.8 12 2.8 12zM12 14.6a2.6 2.6 0 1 0 0-5.2 2.6 2.6 0 0 0 0 5.2z",
  person: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4.5 20c.6-3.7 3.6-5.5 7.5-5.5s6.9 1.8 7.5 5.5",
  group: "M9 11.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.5 19.5c.5-3.4 3-5 6.5-5s6 1.6 6.5 5M15.5 4.9a3.5 3.5 0 0 1 0 6.4M17.5 14.9c2.2.6 3.6 2.1 4 4.6",
  notes: "M6.5 3.8h11a1 1 0 0 1 1 1v15.4L12 15.9l-6.5 4.3V4.8a1 1 0 0 1 1-1z",
  device: "M4.5 5h15a1 1 0 0 1 1 1v9.5a1 1 0 0 1-1 1h-15a1 1 0 0 1-1-1V6a1 1 0 0 1 1-1zM9 20h6M12 16.5V20",
  phone: "M8 3h8a1.5 1.5 0 0 1 1.5 1.5v15A1.5 1.5 0 0 1 16 21H8a1.5 1.5 0 0 1-1.5-1.5v-15A1.5 1.5 0 0 1 8 3zM11 18h2",
  server: "M4.5 4.5h15v6h-15zM4.5 13.5h15v6h-15zM7.5 7.5v.01M7.5 16.5v.01",
  code: "M8.5 7 3.5 12l5 5M15.5 7l5 5-5 5M13.5 4.5l-3 15",
  globe: "M12 20.5a8.5 8.5 0 1 0 0-17 8.5 8.5 0 0 0 0 17zM3.5 12h17M12 3.5c-5 5-5 12 0 17 5-5 5-12 0-17z",
  moon: "M19.8 14.2A8.2 8.2 0 1 1 9.8 4.2a6.6 6.6 0 0 0 10 10z",
  signOut: "M14 4.5H6.5a1 1 0 0 0-1 1v13a1 1 0 0 0 1 1H14M10.5 12H21M17.5 8.5 21 12l-3.5 3.5",
  down: "M5.5 9 12 15.5 18.5 9",
  up: "M5.5 15 12 8.5l6.5 6.5",
  plus: "M12 5v14M5 12h14",
  pen: "M4 20h16M6 15.5 15.7 5.8a1.6 1.6 0 0 1 2.3 0l.4.4a1.6 1.6 0 0 1 0 2.3L8.7 18.2 5.5 19z",
  info: "M12 20.5a8.5 8.5 0 1 0 0-17 8.5 8.5 0 0 0 0 17zM12 11v5.5M12 7.5v.2",
  check: "M5 12.8l4.5 4.5L19.5 7",
  alert: "M12 20.5a8.5 8.5 0 1 0 0-17 8.5 8.5 0 0 0 0 17zM12 7.5v5.5M12 16.3v.2",
  retry: "M19.5 12a7.5 7.5 0 1 1-2.2-5.3M19.5 4v4h-4",
  trash: "M4.5 6.5h15M9.5 6V4.5h5V6M6.5 6.5l.8 13h9.4l.8-13M10 10.5v5.5M14 10.5v5.5",
  pause: "M8.5 5.5v13M15.5 5.5v13",
  play: "M8 5.5v13l10.5-6.5z",
  switchUser: "M16.5 4 20 7.5 16.5 11M20 7.5H7M7.5 13 4 16.5 7.5 20M4 16.5h13",
  window: "M13.5 4.5h6v6M19.5 4.5l-8 8M17 14v4.5a1 1 0 0 1-1 1H5.5a1 1 0 0 1-1-1V8a1 1 0 0 1 1-1H10",
  clock: "M12 20.5a8.5 8.5 0 1 0 0-17 8.5 8.5 0 0 0 0 17zM12 7.5V12l3.2 2",
  flame: "M12 20.5c-3.6 0-6-2.5-6-5.7 0-2.4 1.3-3.9 2.6-5.4 1.3-1.5 2.5-3 2.4-5.9 3 1.4 4.2 3.6 4.3 6 .7-.4 1.1-1.1 1.3-1.9 1 1.4 1.4 3.2 1.4 5.2 0 4.5-2.4 7.7-6 7.7z",
  pin: "M9 4h6l-.8 6 3.3 3.2v1.6H6.5v-1.6L9.8 10zM12 15v5.5",
  poll: "M6 19.5v-7M12 19.5v-15M18 19.5v-10",
  muted: "M6.5 16.5h8M17.5 14.2V11a5.5 5.5 0 0 0-8.3-4.7M6.5 9.8V15M10.3 19.5a2 2 0 0 0 3.4 0M4 4l16 16",
  archive: "M4 5h16v4H4zM5.5 9v10.5h13V9M9.5 13h5",
  folder: "M3.5 6.5h6l2 2.5h9v10h-17z",
  unread: "M4 7h11M4 12h16M4 17h16M19.5 6.5v.01",
  at: "M12 15.8a3.8 3.8 0 1 0 0-7.6 3.8 3.8 0 0 0 0 7.6zM15.8 8.2v5.3c0 1.5.9 2.3 2.1 2.3 1.5 0 2.6-1.5 2.6-3.8a8.5 8.5 0 1 0-3.4 6.8",
} as const;

/** The icons there are. */
export type IconName = keyof typeof paths | "send";

/** Draws an icon in the colour of the text around it. */
export function Icon({ name, size = 22 }: { name: IconName; size?: number }) {
  if (name === "send") {
    return (
      <svg className="icon" width={size} height={size} viewBox="0 0 24 24" fill="currentColor" aria-hidden="true">
        <path d="M3.6 4.7c-.3-.9.6-1.7 1.4-1.3l16.1 7.7c.8.4.8 1.5 0 1.9L5 20.6c-.8.4-1.7-.4-1.4-1.3L5.7 13l8.3-1-8.3-1z" />
      </svg>
    );
  }
  const dots = name === "more";
  return (
    <svg
      className="icon"
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth={dots ? 2.8 : 1.8}
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      <path d={paths[name]} />
    </svg>
  );
}
