// The signed-in app: the list, the open conversation, and what lies beside or
// above them.
import type { Conversation } from "@skein/client";
import { useCallback, useEffect, useMemo, useState } from "react";
import { CallsProvider } from "../calls/CallsContext.tsx";
import { HistoryDialog } from "../calls/history/HistoryDialog.tsx";
import { DeveloperPanel } from "../developer/DeveloperPanel.tsx";
import { FilesProvider } from "../files/FilesContext.tsx";
import { useNoStrayDrop } from "../files/send/DropZone.tsx";
import { forgetSeen } from "../files/seen.ts";
import { Tray } from "../files/transfers/Tray.tsx";
import { DevicesDialog } from "../devices/DevicesDialog.tsx";
import { NewDirectDialog } from "../group/NewDirectDialog.tsx";
import { NewGroupDialog } from "../group/NewGroupDialog.tsx";
import { useWords } from "../i18n/context.tsx";
import { JoinDialog } from "../joining/JoinDialog.tsx";
import { RequestsDialog } from "../joining/RequestsDialog.tsx";
import { Inbox } from "../inbox/Inbox.tsx";
import { useClient, useConversations, useUnreadTotal } from "../live/context.tsx";
import { useGroup } from "../groups/useGroup.ts";
import { LiveThread } from "../livestream/LiveThread.tsx";
import { LivestreamDialog } from "../livestream/LivestreamDialog.tsx";
import { MyProfileDialog } from "../people/MyProfileDialog.tsx";
import { PeopleDialog } from "../people/PeopleDialog.tsx";
import { LinkDialog } from "../people/LinkDialog.tsx";
import { PrivacyDialog } from "../people/PrivacyDialog.tsx";
import { ProfileDialog } from "../people/ProfileDialog.tsx";
import { setPrefs, usePrefs } from "../settings/prefs.ts";
import { Thread } from "../thread/Thread.tsx";
import { Confirm } from "../ui/Dialog.tsx";
import { useToasts } from "../ui/Toasts.tsx";
import { ConnectionBanner } from "./ConnectionBanner.tsx";
import { go, useRoute } from "./route.ts";
import type { DevInfo, Session } from "./session.ts";
import { Call, WorkspaceContext, type Opening, type Workspace } from "./workspaceContext.ts";

interface WorkspacePanesProps {
  readonly session: Session;
  readonly dev: DevInfo | undefined;
  readonly onReconnect: () => void;
  readonly onLeave: () => void;
}

/** The panes of the app. On a phone one of list and thread is seen at a time. */
export function WorkspacePanes({ session, dev, onReconnect, onLeave }: WorkspacePanesProps) {
  const t = useWords();
  const client = useClient();
  const { fail } = useToasts();
  const route = useRoute();
  const { developer } = usePrefs();
  const [dialog, setDialog] = useState<Extract<Opening, { dialog: string }>>();
  const id = route.at === "chat" || route.at === "live" ? route.id : undefined;
  const conversation = useMemo(() => {
    try {
      return id === undefined ? undefined : client.conversation.get(id);
    } catch {
      // An address that somebody made up is no conversation.
      return undefined;
    }
  }, [client, id]);

  const leave = useCallback<Workspace["leave"]>(
    (how) => {
      const end = how === "erase" ? client.signOut({ signal: AbortSignal.timeout(5000) }).finally(forgetSeen) : client.close();
      end.catch(() => undefined).finally(onLeave);
    },
    [client, onLeave],
  );
  const [calls] = useState(() => ({
    focusSearch: new Call(),
    showMessage: new Call<{ readonly conversation: string; readonly seq: number; readonly thread?: number }>(),
  }));
  const workspace = useMemo<Workspace>(
    () => ({
      session,
      dev,
      leave,
      ...calls,
      open: (what) => {
        if ("dialog" in what) setDialog(what);
        else {
          const { conversation, seq, thread } = what;
          const within = thread ? { thread } : {};
          go({ at: "chat", id: conversation, ...within });
          // Once the conversation, and the thread in it, are there to hear it.
          if (seq !== undefined) setTimeout(() => calls.showMessage.make({ conversation, seq, ...within }));
        }
      },
    }),
    [session, dev, leave, calls],
  );

  useEffect(
    () =>
      client.on("error", (error) => {
        // What the banner says already is not said twice.
        if (error.code !== "unavailable") fail(error);
      }),
    [client, fail],
  );
  useTitle();
  useNoStrayDrop();
  useShortcuts(calls.focusSearch);

  const close = () => setDialog(undefined);
  return (
    <WorkspaceContext value={workspace}>
     <FilesProvider>
     <CallsProvider>
      <div className={`app ${conversation ? "app-at-chat" : "app-at-list"}`}>
        <h1 className="visually-hidden">{t.appName}</h1>
        <ConnectionBanner onReconnect={onReconnect} />
        <Tray current={conversation?.id} />
        <div className="panes">
          <Inbox selected={conversation?.id} />
          {conversation ? (
            <Conversing key={conversation.id} conversation={conversation} live={route.at === "live"} />
          ) : (
            <main className="thread thread-none">
              <div className="empty">
                <strong>{t.pickChat}</strong>
                <span>{t.pickChatText}</span>
              </div>
            </main>
          )}
          {dev && developer ? (
            <DeveloperPanel peer={conversation?.peer} conversation={conversation} onClose={() => setPrefs({ developer: false })} />
          ) : null}
        </div>
      </div>
      {dialog?.dialog === "direct" ? <NewDirectDialog onClose={close} /> : null}
      {dialog?.dialog === "group" ? <NewGroupDialog onClose={close} /> : null}
      {dialog?.dialog === "devices" ? <DevicesDialog onClose={close} /> : null}
      {dialog?.dialog === "join" ? <JoinDialog code={undefined} onClose={close} /> : null}
      {dialog?.dialog === "joinRequests" ? <RequestsDialog onClose={close} /> : null}
      {route.at === "link" ? <LinkDialog key={route.code} code={route.code} onClose={() => go({ at: "list" })} /> : null}
      {dialog?.dialog === "link" ? <LinkDialog code={undefined} onClose={close} /> : null}
      {route.at === "join" ? <JoinDialog key={route.code} code={route.code} onClose={() => go({ at: "list" })} /> : null}
      {dialog?.dialog === "livestream" ? <LivestreamDialog onClose={close} /> : null}
      {dialog?.dialog === "calls" ? <HistoryDialog onClose={close} /> : null}
      {dialog?.dialog === "people" ? <PeopleDialog onClose={close} /> : null}
      {dialog?.dialog === "me" ? <MyProfileDialog onClose={close} /> : null}
      {dialog?.dialog === "privacy" ? <PrivacyDialog onClose={close} /> : null}
      {dialog?.dialog === "profile" ? <ProfileDialog key={dialog.user} user={dialog.user} onClose={close} /> : null}
      {dialog?.dialog === "signOut" ? (
        <Confirm
          title={t.signOutAsk}
          text={t.signOutText}
          action={t.signOut}
          danger
          onClose={close}
          onConfirm={() => {
            close();
            leave("erase");
          }}
        />
      ) : null}
     </CallsProvider>
     </FilesProvider>
    </WorkspaceContext>
  );
}

/** A conversation's messages, or the room that a livestream is. */
function Conversing({ conversation, live }: { conversation: Conversation; live: boolean }) {
  const { settings } = useGroup(conversation);
  return live || settings?.type === "livestream" ? <LiveThread conversation={conversation} /> : <Thread conversation={conversation} />;
}

/** How many are unread stands before the name, where a tab shows it. */
function useTitle(): void {
  const unread = useUnreadTotal();
  useEffect(() => {
    document.title = unread > 0 ? `(${unread > 99 ? "99+" : unread}) Skein` : "Skein";
    return () => {
      document.title = "Skein";
    };
  }, [unread]);
}

/** Ctrl+K searches, Alt+Up and Alt+Down go through the list. */
function useShortcuts(focusSearch: Call): void {
  const conversations = useConversations();
  const route = useRoute();
  const current = route.at === "chat" || route.at === "live" ? route.id : undefined;
  const thread = route.at === "chat" ? route.thread : undefined;
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.isComposing) return;
      if ((event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey && event.key.toLowerCase() === "k") {
        event.preventDefault();
        if (matchMedia("(max-width: 720px)").matches && current !== undefined) {
          go({ at: "list" });
          // Once the list is seen again.
          setTimeout(() => focusSearch.make());
        } else focusSearch.make();
      } else if (event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
        const index = conversations.findIndex((c) => c.id === current);
        const next = conversations[index + (event.key === "ArrowDown" ? 1 : -1)];
        if (!next) return;
        event.preventDefault();
        go({ at: "chat", id: next.id });
      } else if (event.key === "Escape" && current !== undefined && !event.defaultPrevented) {
        // The thread that is open beside it goes first.
        go(thread === undefined ? { at: "list" } : { at: "chat", id: current });
      }
    };
    window.addEventListener("keydown", onKeyDown);
    return () => window.removeEventListener("keydown", onKeyDown);
  }, [focusSearch, conversations, current, thread]);
}
