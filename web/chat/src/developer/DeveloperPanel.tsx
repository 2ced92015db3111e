// The developer panel: what one needs to write a first program against this
// server, and what that program and this page say to it. Only a server in
// developer mode has it.
import type { Conversation } from "@skein/client";
import { useEffect, useState } from "react";
import { mintDevToken } from "../app/session.ts";
import { useWorkspace } from "../app/workspaceContext.ts";
import { BoardFacts } from "../board/BoardFacts.tsx";
import { strings } from "../board/strings.ts";
import { useWords } from "../i18n/context.tsx";
import { useStrings } from "../i18n/strings.ts";
import { useClient, useConnection, useFrames } from "../live/context.tsx";
import { Button, IconButton } from "../ui/Button.tsx";
import { roveFocus } from "../ui/roving.ts";
import { useCopy, useToasts } from "../ui/Toasts.tsx";
import { FrameList } from "./FrameList.tsx";
import { snippets, type SnippetName } from "./snippets.ts";

interface DeveloperPanelProps {
  /** Who the open conversation is with. */
  readonly peer: string | undefined;
  readonly conversation: Conversation | undefined;
  readonly onClose: () => void;
}

type Tab = "connection" | "frames" | "code" | "board";

/** The panel at the right edge. */
export function DeveloperPanel({ peer, conversation, onClose }: DeveloperPanelProps) {
  const t = useWords();
  const frames = useFrames();
  const [tab, setTab] = useState<Tab>("connection");
  const b = useStrings(strings);
  const token = useToken();
  const names: Record<Tab, string> = { connection: t.devConnection, frames: t.devFrames, code: t.devCode, board: b.attributes };
  return (
    <aside className="developer" aria-label={t.developer}>
      <header className="developer-head">
        <h2>{t.developer}</h2>
        <IconButton icon="close" label={t.close} onClick={onClose} />
      </header>
      <Tabs label={t.developer} names={names} tab={tab} onTab={setTab} />
      <div className="developer-body" role="tabpanel" aria-label={names[tab]}>
        {tab === "connection" ? <Connection token={token} /> : null}
        {tab === "frames" ? <FrameList log={frames} /> : null}
        {tab === "board" ? <BoardFacts conversation={conversation} /> : null}
        {tab === "code" ? <Code token={token} peer={peer} /> : null}
      </div>
    </aside>
  );
}

interface TabsProps<Name extends string> {
  readonly label: string;
  readonly names: Record<Name, string>;
  readonly tab: Name;
  readonly onTab: (tab: Name) => void;
}

function Tabs<Name extends string>({ label, names, tab, onTab }: TabsProps<Name>) {
  const keys = Object.keys(names) as Name[];
  return (
    <div
      className="segments developer-tabs"
      role="tablist"
      aria-label={label}
      onKeyDown={(event) => {
        if (!roveFocus(event.currentTarget, "[role=tab]", event.key, "horizontal")) return;
        event.preventDefault();
        if (document.activeElement instanceof HTMLElement) document.activeElement.click();
      }}
    >
      {keys.map((name) => (
        <button key={name} type="button" role="tab" aria-selected={name === tab} tabIndex={name === tab ? 0 : -1} onClick={() => onTab(name)}>
          {names[name]}
        </button>
      ))}
    </div>
  );
}

/** A token of this user for the panel alone: the connection has its own. */
function useToken(): string {
  const { session } = useWorkspace();
  const { fail } = useToasts();
  const [token, setToken] = useState(session.kind === "token" ? session.token : "");
  useEffect(() => {
    if (session.kind !== "demo") return;
    const abort = new AbortController();
    mintDevToken(session.user, abort.signal).then(setToken, (error: unknown) => {
      if (!abort.signal.aborted) fail(error);
    });
    return () => abort.abort();
  }, [session, fail]);
  return token;
}

function Connection({ token }: { token: string }) {
  const t = useWords();
  const client = useClient();
  const copy = useCopy();
  const { dev } = useWorkspace();
  const { state, deviceId, tab } = useConnection(client);
  const [shown, setShown] = useState(false);
  const others = (dev?.users ?? []).filter((user) => user !== client.userId);
  return (
    <div className="scroll developer-scroll">
      <dl className="facts">
        <Fact name={t.devState} value={`${state} · ${tab}`} />
        <Fact name={t.devAppId} value={client.appId} copyable />
        <Fact name={t.devUser} value={client.userId} copyable />
        <Fact name={t.devEndpoint} value={client.endpoint} copyable />
        <Fact name={t.deviceThis} value={deviceId} copyable />
        <dt>{t.devToken}</dt>
        <dd>
          <code className={shown ? "token" : ""}>{shown ? token : "••••••••••••"}</code>
          <IconButton icon="eye" size={18} label={shown ? t.devTokenHide : t.devTokenShow} aria-pressed={shown} onClick={() => setShown(!shown)} />
          <IconButton icon="copy" size={18} label={`${t.copy}: ${t.devToken}`} disabled={token === ""} onClick={() => copy(token)} />
        </dd>
      </dl>
      <p className="hint">{t.devTokenNote}</p>
      <div className="developer-others">
        {others.map((user) => (
          <a key={user} className="button button-soft" href={`/?as=${encodeURIComponent(user)}`} target="_blank" rel="noopener">
            {t.devOpenAs(user)}
          </a>
        ))}
      </div>
    </div>
  );
}

function Fact({ name, value, copyable = false }: { name: string; value: string; copyable?: boolean }) {
  const t = useWords();
  const copy = useCopy();
  return (
    <>
      <dt>{name}</dt>
      <dd>
        <code>{value}</code>
        {copyable ? <IconButton icon="copy" size={18} label={`${t.copy}: ${name}`} onClick={() => copy(value)} /> : null}
      </dd>
    </>
  );
}

function Code({ token, peer }: { token: string; peer: string | undefined }) {
  const t = useWords();
  const client = useClient();
  const copy = useCopy();
  const { dev } = useWorkspace();
  const [name, setName] = useState<SnippetName>("page");
  const to = peer ?? dev?.users.find((user) => user !== client.userId) ?? "bob";
  const code = snippets({ endpoint: client.endpoint, appId: client.appId, user: client.userId, token, peer: to })[name];
  const names: Record<SnippetName, string> = { page: t.devCodePage, node: t.devCodeNode, go: t.devCodeGo };
  return (
    <div className="developer-code">
      <Tabs label={t.devCode} names={names} tab={name} onTab={setName} />
      <p className="hint">{t.devCodeText}</p>
      <pre className="scroll" tabIndex={0} aria-label={names[name]}>
        {code}
      </pre>
      <Button kind="primary" onClick={() => copy(code)}>
        {t.copy}
      </Button>
    </div>
  );
}
