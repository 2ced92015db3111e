// What people are called: one's own remark on a contact, else the name in
// their profile, else their id. A name is asked for where it is shown, all of
// a list in one call, and everything that shows one draws again when it came.
import type { Presence } from "@skein/client";
import type { People, Profile } from "@skein/client/people";
import { createContext, useContext, useEffect, useMemo, useState, useSyncExternalStore, type ReactNode } from "react";
import { useClient } from "../live/context.tsx";

/** Says what a user is called. Another function after each change, so that what uses it draws again. */
export type NameOf = (user: string) => string;

interface Names {
  readonly nameOf: NameOf;
  /** The picture of a user whom this user knows; "" for none. Others' are not loaded: they would tell the picture's server who looks. */
  readonly pictureOf: (user: string) => string;
}

const NamesContext = createContext<Names>({ nameOf: (user) => user, pictureOf: () => "" });

/** Gives names to everything inside. */
export function NamesProvider({ children }: { children: ReactNode }) {
  const { people, userId } = useClient();
  const [version, setVersion] = useState(0);
  useEffect(() => {
    const raise = () => setVersion((v) => v + 1);
    const off = [people.onProfiles(raise), people.onChange(raise)];
    return () => off.forEach((stop) => stop());
  }, [people]);
  const names = useMemo<Names>(() => {
    const remarks = new Map(people.contacts.map((c) => [c.user, c.remark]));
    return {
      nameOf: (user) => remarks.get(user) || people.profile(user)?.name || user,
      pictureOf: (user) => (user === userId || remarks.has(user) ? (people.profile(user)?.avatarUrl ?? "") : ""),
    };
    // Names are another function with each version.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [people, userId, version]);
  return <NamesContext value={names}>{children}</NamesContext>;
}

/** The names of people; outside of a signed-in app their ids. */
export function useNames(): NameOf {
  return useContext(NamesContext).nameOf;
}

/** The picture of a user whom this user knows, "" for none. */
export function usePicture(user: string): string {
  return useContext(NamesContext).pictureOf(user);
}

/** The profile of a user, asked for again when it is old. */
export function useProfile(user: string): Profile | undefined {
  const { people } = useClient();
  useNames(); // draws again with what came
  return people.profile(user);
}

/** One of the lists of people; draws again when it changes. */
export function usePeopleList<Name extends "contacts" | "requests" | "blocked">(name: Name): People[Name] {
  const { people } = useClient();
  return useSyncExternalStore(
    (listener) => people.onChange(listener),
    () => people[name],
  );
}

/** A status on one line, "" for none. */
export function useStatusText(presence: Presence | undefined): string {
  const { people } = useClient();
  const status = people.statusOf(presence);
  return status ? [status.emoji, status.text].filter(Boolean).join(" ") : "";
}
