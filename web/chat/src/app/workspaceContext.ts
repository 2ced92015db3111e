// What any part of the signed-in app can ask of the whole: open a
// conversation, a dialog, the developer panel.
import { createContext, useContext } from "react";
import type { DevInfo, Session } from "./session.ts";

/** Something to open. */
export type Opening =
  | { readonly conversation: string; readonly seq?: number; readonly thread?: number }
  | { readonly dialog: "direct" | "group" | "devices" | "signOut" | "people" | "me" | "privacy" | "link" | "join" | "joinRequests" | "livestream" | "calls" }
  | { readonly dialog: "profile"; readonly user: string };

/** A request that a component far away answers. */
export class Call<Value = void> {
  readonly #listeners = new Set<(value: Value) => void>();

  /** Hears of every request until the returned function is called. */
  listen(listener: (value: Value) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  make(value: Value): void {
    for (const listener of this.#listeners) listener(value);
  }
}

/** The app around a component. */
export interface Workspace {
  readonly session: Session;
  /** Set when the server runs in developer mode. */
  readonly dev: DevInfo | undefined;
  readonly open: (what: Opening) => void;
  /** Asks the list to take the focus into its search field. */
  readonly focusSearch: Call;
  /** Asks the open conversation to show a message, or the open thread of that root to show a reply. */
  readonly showMessage: Call<{ readonly conversation: string; readonly seq: number; readonly thread?: number }>;
  /** Leaves this user; with `erase` their data leaves this browser too. */
  readonly leave: (how: "switch" | "erase") => void;
}

/** See useWorkspace. */
export const WorkspaceContext = createContext<Workspace | undefined>(undefined);

/** The app around this component. */
export function useWorkspace(): Workspace {
  const workspace = useContext(WorkspaceContext);
  if (!workspace) throw new Error("no Workspace above this component");
  return workspace;
}
