// The calls of whoever is signed in, for every component: what rings, the call
// that this tab is in, and what is drawn over the whole app for them.
import { createContext, lazy, Suspense, useContext, useEffect, useState, useSyncExternalStore, type ReactNode } from "react";
import { useStrings } from "../i18n/strings.ts";
import { useClient } from "../live/context.tsx";
import { useToasts } from "../ui/Toasts.tsx";
import { remembered } from "./lobby/chosen.ts";
import { prepare } from "./lobby/prepare.ts";
import { CallsModel, type CallsState } from "./model.ts";
import { aloudOf, keepCall } from "./ring/tabs.ts";
import { CallSession } from "./session.ts";
import { strings } from "./strings.ts";

const Stage = lazy(() => import("./stage/Stage.tsx").then(({ Stage }) => ({ default: Stage })));

/** What components do with calls. */
export type AppCalls = CallsModel<CallSession>;

const CallsContext = createContext<AppCalls | undefined>(undefined);

/** Gives calls to everything inside, for as long as somebody is signed in, and draws what lies above it all. */
export function CallsProvider({ children }: { children: ReactNode }) {
  const client = useClient();
  const { fail } = useToasts();
  const [model, setModel] = useState<AppCalls>();

  useEffect(() => {
    const made = new CallsModel<CallSession>({
      calls: client.calls,
      device: () => client.snapshot.deviceId,
      userId: client.userId,
      connect: (joined, { camera, microphone }) => new CallSession(client, joined, { camera, microphone, ...remembered() }),
      prepare: async (on) => {
        // Begins to load while the person is asked.
        void import("livekit-client").catch(() => undefined);
        return (await prepare(on)).allowed;
      },
      aloud: aloudOf(client.appId, client.userId),
      keep: keepCall,
      tell: () => undefined,
      fail,
    });
    setModel(made);
    return () => {
      setModel(undefined);
      made.close();
    };
  }, [client, fail]);

  return (
    <CallsContext value={model}>
      {children}
      {model ? <Above model={model} /> : null}
    </CallsContext>
  );
}

/** The calls; undefined for the moment before they are there. */
export function useCalls(): AppCalls | undefined {
  return useContext(CallsContext);
}

const nothing: CallsState<CallSession> = { rings: [], aloud: false, going: undefined, over: undefined, back: undefined, busy: "", minimised: false };
const never = () => () => undefined;

/** What is going on; draws again when it changes. */
export function useCallsState(): CallsState<CallSession> {
  const model = useCalls();
  return useSyncExternalStore(model?.subscribe ?? never, () => model?.get() ?? nothing);
}

/** What calls show over the whole app. */
function Above({ model }: { model: AppCalls }) {
  const s = useStrings(strings);
  const { going, minimised } = useSyncExternalStore(model.subscribe, model.get);
  return going?.session ? (
    <section className="calls" aria-label={s.call}>
      <Suspense>
        <Stage session={going.session} minimised={minimised} onMinimise={(small) => model.minimise(small)} />
      </Suspense>
    </section>
  ) : null;
}
