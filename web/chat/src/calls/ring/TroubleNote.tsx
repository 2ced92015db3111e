// A word about a microphone or a camera that cannot be used, and the way to
// what to do about it. The call goes on without.
import { useStrings } from "../../i18n/strings.ts";
import { Button, IconButton } from "../../ui/Button.tsx";
import { Icon } from "../../ui/Icon.tsx";
import { useWords } from "../../i18n/context.tsx";
import { useCallsState, type AppCalls } from "../CallsContext.tsx";
import { strings } from "./strings.ts";

/** The note; nothing when all is well. */
export function TroubleNote({ model }: { model: AppCalls }) {
  const t = useWords();
  const s = useStrings(strings);
  const { trouble } = useCallsState();
  if (!trouble) return null;
  return (
    <div className="trouble-note" role="alert">
      <Icon name="alert" size={18} />
      <span>{trouble.camera && trouble.microphone ? s.noneOfBoth : trouble.microphone ? s.noMicrophone : s.noCamera}</span>
      <Button onClick={() => model.showLobby(true)}>{s.whatToDo}</Button>
      <IconButton icon="close" size={16} label={t.close} onClick={() => model.forgetTrouble()} />
    </div>
  );
}
