// The left column: search, the conversations, and the ways to begin a new one.
import type { Conversation } from "@skein/client";
import { useCallback, useDeferredValue, useEffect, useMemo, useRef, useState, type KeyboardEvent } from "react";
import { MainMenu } from "../app/MainMenu.tsx";
import { useWords } from "../i18n/context.tsx";
import { useClient, useWatch } from "../live/context.tsx";
import { ConversationMenu } from "../own/ConversationMenu.tsx";
import { ArchiveHead, ArchiveRow, EmptyPart, FolderTabs, usePart } from "../own/FolderTabs.tsx";
import { SelectBar } from "../own/SelectBar.tsx";
import { useListed } from "../own/useOwn.ts";
import { IconButton, Button } from "../ui/Button.tsx";
import { Icon } from "../ui/Icon.tsx";
import { MenuItem, placeOf, Popover, type MenuPlace } from "../ui/Menu.tsx";
import { roveFocus } from "../ui/roving.ts";
import { useWorkspace } from "../app/workspaceContext.ts";
import { ConversationRow } from "./ConversationRow.tsx";
import { SearchResults } from "./SearchResults.tsx";

interface InboxProps {
  /** The conversation that is open. */
  readonly selected: string | undefined;
}

/** The list of conversations. */
export function Inbox({ selected }: InboxProps) {
  const t = useWords();
  const client = useClient();
  const { open, focusSearch } = useWorkspace();
  const [part, setPart] = usePart();
  const all = useListed(part === "archive" ? { archived: true } : { folder: part || undefined });
  const [menu, setMenu] = useState<{ readonly conversation: Conversation; readonly place: MenuPlace }>();
  const [chosen, setChosen] = useState<ReadonlySet<Conversation>>();
  const openMenu = useCallback((conversation: Conversation, place: MenuPlace) => setMenu({ conversation, place }), []);
  const toggle = useCallback((conversation: Conversation) => {
    setChosen((now) => {
      const next = new Set(now);
      if (!next.delete(conversation)) next.add(conversation);
      return next;
    });
  }, []);
  // Where nothing was said yet is no chat: a request to be a contact waits among the contacts.
  const conversations = useMemo(
    () => all.filter((c) => c.kind !== "direct" || c.head.ord > 0 || c.lastMessage !== undefined || c.id === selected),
    [all, selected],
  );
  const archived = useListed({ archived: true }).length > 0;
  const [query, setQuery] = useState("");
  const shownQuery = useDeferredValue(query.trim());
  const input = useRef<HTMLInputElement>(null);
  const column = useRef<HTMLElement>(null);
  const [newMenu, setNewMenu] = useState<MenuPlace>();

  const peers = useMemo(
    () => conversations.flatMap((c) => (c.peer === undefined || c.head.seq === 0 ? [] : [c.peer])).slice(0, 300),
    [conversations],
  );
  useWatch(peers);

  useEffect(
    () =>
      focusSearch.listen(() => {
        input.current?.focus();
        input.current?.select();
      }),
    [focusSearch],
  );

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.nativeEvent.isComposing) return;
    const box = column.current;
    if (!box) return;
    if (event.target === input.current) {
      if (event.key === "ArrowDown") {
        event.preventDefault();
        box.querySelector<HTMLElement>(".chat-row, .hit")?.focus();
      } else if (event.key === "Enter" && query.trim() !== "") {
        event.preventDefault();
        box.querySelector<HTMLElement>(".chat-row, .hit")?.click();
      } else if (event.key === "Escape" && query !== "") {
        event.stopPropagation();
        setQuery("");
      }
    } else if (roveFocus(box, ".chat-row, .hit", event.key, "vertical")) event.preventDefault();
  };

  const tabbable = conversations.some((c) => c.id === selected) ? selected : conversations[0]?.id;
  return (
    <nav ref={column} className="inbox" aria-label={t.chats} onKeyDown={onKeyDown}>
      <header className="inbox-head">
        <MainMenu />
        <div className="searchbox" role="search">
          <Icon name="search" size={19} />
          <input
            ref={input}
            type="search"
            className="searchbox-input"
            placeholder={t.search}
            aria-label={t.searchHint}
            aria-keyshortcuts="Control+K Meta+K"
            value={query}
            autoComplete="off"
            spellCheck={false}
            onChange={(event) => setQuery(event.target.value)}
          />
          {query !== "" ? (
            <IconButton
              icon="close"
              size={17}
              label={t.clearSearch}
              onClick={() => {
                setQuery("");
                input.current?.focus();
              }}
            />
          ) : null}
        </div>
        <IconButton
          icon="pen"
          label={t.newChat}
          aria-haspopup="menu"
          aria-expanded={newMenu !== undefined}
          onClick={(event) => setNewMenu(placeOf(event.currentTarget))}
        />
      </header>
      {newMenu ? (
        <Popover place={newMenu} align="end" role="menu" label={t.newChat} onClose={() => setNewMenu(undefined)}>
          <MenuItem
            icon="person"
            label={t.newDirect}
            onSelect={() => {
              setNewMenu(undefined);
              open({ dialog: "direct" });
            }}
          />
          <MenuItem
            icon="group"
            label={t.newGroup}
            onSelect={() => {
              setNewMenu(undefined);
              open({ dialog: "group" });
            }}
          />
          <MenuItem
            icon="notes"
            label={t.notes}
            onSelect={() => {
              setNewMenu(undefined);
              open({ conversation: client.conversation.self().id });
            }}
          />
        </Popover>
      ) : null}
      {shownQuery !== "" ? (
        <SearchResults query={shownQuery} onDone={() => setQuery("")} />
      ) : conversations.length === 0 && part !== "" ? (
        <>
          {part === "archive" ? <ArchiveHead onBack={() => setPart("")} /> : <FolderTabs part={part} onPart={setPart} />}
          <EmptyPart part={part} onAll={() => setPart("")} />
        </>
      ) : conversations.length === 0 && !archived ? (
        <div className="empty">
          <strong>{t.emptyInbox}</strong>
          <span>{t.emptyInboxText}</span>
          <Button kind="primary" onClick={() => open({ dialog: "direct" })}>
            {t.newDirect}
          </Button>
        </div>
      ) : (
        <>
        {chosen ? (
          <SelectBar selected={conversations.filter((c) => chosen.has(c))} archive={part === "archive"} onClose={() => setChosen(undefined)} />
        ) : part === "archive" ? (
          <ArchiveHead onBack={() => setPart("")} />
        ) : (
          <FolderTabs part={part} onPart={setPart} />
        )}
        <ul className="chat-list scroll" role="list">
          {part === "" ? <ArchiveRow onOpen={() => setPart("archive")} /> : null}
          {conversations.map((conversation) => (
            <ConversationRow
              key={conversation.id}
              conversation={conversation}
              selected={conversation.id === selected}
              tabbable={conversation.id === tabbable}
              onMenu={openMenu}
              checked={chosen?.has(conversation)}
              onToggle={toggle}
            />
          ))}
        </ul>
        </>
      )}
      {menu ? (
        <ConversationMenu
          conversation={menu.conversation}
          place={menu.place}
          onClose={() => setMenu(undefined)}
          onSelect={() => setChosen(new Set([menu.conversation]))}
        />
      ) : null}
    </nav>
  );
}
