// Attributes and counters of the open group, for developers.
import type { Conversation } from "@skein/client";
import { useId, useState, type FormEvent } from "react";
import { useStrings } from "../i18n/strings.ts";
import { useClient } from "../live/context.tsx";
import { Button, IconButton } from "../ui/Button.tsx";
import { useToasts } from "../ui/Toasts.tsx";
import { strings } from "./strings.ts";
import { useAttributes, useBoardLoaded, useCounters } from "./useBoard.ts";

/** The view. */
export function BoardFacts({ conversation }: { conversation: Conversation | undefined }) {
  const s = useStrings(strings);
  if (conversation?.kind !== "group") return <p className="info-note hint">{s.groupOnly}</p>;
  return <Facts key={conversation.id} conversation={conversation} />;
}

function Facts({ conversation }: { conversation: Conversation }) {
  const s = useStrings(strings);
  const { board } = useClient();
  const { fail } = useToasts();
  useBoardLoaded(conversation);
  const attributes = useAttributes(conversation);
  const counters = useCounters(conversation);
  const [name, setName] = useState("");
  const [value, setValue] = useState("");
  const id = useId();
  const set = (event: FormEvent) => {
    event.preventDefault();
    board.setAttribute(conversation, name.trim(), value).then(() => {
      setName("");
      setValue("");
    }, fail);
  };
  return (
    <div className="scroll developer-scroll">
      {attributes.length + counters.length === 0 ? <p className="hint">{s.noAttributes}</p> : null}
      {attributes.length > 0 ? <h3 className="menu-title">{s.attributes}</h3> : null}
      <dl className="facts">
        {attributes.map((one) => (
          <div key={one.name}>
            <dt>
              {one.name} · {s.version(one.version)}
            </dt>
            <dd>
              <code>{one.value}</code>
              <IconButton icon="trash" size={18} label={s.attributeRemove(one.name)} onClick={() => void board.removeAttribute(conversation, one.name).catch(fail)} />
            </dd>
          </div>
        ))}
      </dl>
      {counters.length > 0 ? <h3 className="menu-title">{s.counters}</h3> : null}
      <dl className="facts">
        {counters.map((one) => (
          <div key={one.name}>
            <dt>{one.name}</dt>
            <dd>
              <code>{one.value}</code>
              <IconButton icon="plus" size={18} label={s.counterAdd(one.name)} onClick={() => void board.increment(conversation, one.name, 1).catch(fail)} />
              <IconButton icon="trash" size={18} label={s.attributeRemove(one.name)} onClick={() => void board.removeCounter(conversation, one.name).catch(fail)} />
            </dd>
          </div>
        ))}
      </dl>
      <form onSubmit={set} className="board-form">
        <label className="field-label" htmlFor={`${id}n`}>
          {s.attributeName}
          <input id={`${id}n`} className="input" value={name} maxLength={64} autoComplete="off" spellCheck={false} onChange={(event) => setName(event.target.value)} />
        </label>
        <label className="field-label" htmlFor={`${id}v`}>
          {s.attributeValue}
          <input id={`${id}v`} className="input" value={value} maxLength={4096} autoComplete="off" spellCheck={false} onChange={(event) => setValue(event.target.value)} />
        </label>
        <Button submit disabled={name.trim() === ""}>
          {s.attributeSet}
        </Button>
      </form>
    </div>
  );
}
