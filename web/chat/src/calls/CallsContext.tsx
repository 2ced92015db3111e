// The calls of whoever is signed in, for every component: what rings, the call
// that this tab is in, and what is drawn over the whole app for them.
import { createContext, lazy, Suspense, useContext, useEffect, useRef, useState, useSyncExternalStore, type ReactNode } from "react";
import { useStrings } from "../i18n/strings.ts";
import { browserStorage, useClient } from "../live/context.tsx";
import { knownOf } from "./known.ts";
import { useToasts } from "../ui/Toasts.tsx";
import "./calls.css";
import { remembered } from "./lobby/chosen.ts";
import { prepare } from "./lobby/prepare.ts";
import { CallsModel, quiet, type CallsState } from "./model.ts";
import { BackBanner } from "./ring/BackBanner.tsx";
import { Incoming, RingBar } from "./ring/Incoming.tsx";
import { CameToNothing, Outgoing } from "./ring/Outgoing.tsx";
import { aloudOf, keepCall } from "./ring/tabs.ts";
import { TroubleNote } from "./ring/TroubleNote.tsx";
import { useNews } from "./ring/useNews.ts";
import { CallSession } from "./session.ts";
import { strings } from "./strings.ts";

const Stage = lazy(() => import("./stage/Stage.tsx").then(({ Stage }) => ({ default: Stage })));
const Lobby = lazy(() => import("./lobby/Lobby.tsx").then(({ Lobby }) => ({ default: Lobby })));

/** What components do with calls. */
export type AppCalls = CallsModel<CallSession>;

const CallsContext = createContext<AppCalls | undefined>(undefined);

/** Gives calls to everything inside, for as long as somebody is signed in, and draws what lies above it all. */
export function CallsProvider({ children }: { children: ReactNode }) {
  const client = useClient();
  const { fail } = useToasts();
  const [model, setModel] = useState<AppCalls>();
  const current = useRef(model);
  current.current = model;
  const tell = useNews((conversation, video) => void current.current?.start(conversation, { video }));

  useEffect(() => {
    const made: AppCalls = new CallsModel<CallSession>({
      calls: client.calls,
      device: () => client.snapshot.deviceId,
      onDevice: (fn) => client.subscribe(fn),
      connect: (joined, { camera, microphone }) => new CallSession(client, joined, { camera, microphone, ...remembered(), e2eeKey: made.takeWords() }),
      prepare: (on) => {
        // Begins to load while the person is asked.
        void import("livekit-client").catch(() => undefined);
        return prepare(on);
      },
      aloud: aloudOf(client.appId, client.userId),
      keep: keepCall,
      known: knownOf(browserStorage(), client.appId),
      tell,
      fail,
    });
    setModel(made);
    return () => {
      setModel(undefined);
      made.close();
    };
  }, [client, tell, fail]);

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

const never = () => () => undefined;

/** What is going on; draws again when it changes. */
export function useCallsState(): CallsState<CallSession> {
  const model = useCalls();
  return useSyncExternalStore(model?.subscribe ?? never, () => model?.get() ?? quiet);
}

/** What calls show over the whole app: one screen at a time, and bars for what comes beside it. */
function Above({ model }: { model: AppCalls }) {
  const s = useStrings(strings);
  const { going, over, rings, aloud, back, busy, minimised, lobby } = useCallsState();
  const [first] = rings;
  const dialled = going && going.phase !== "in";
  return (
    <>
      {going?.session && !dialled ? (
        <section className="calls" aria-label={s.call}>
          <Suspense>
            <Stage session={going.session} minimised={minimised} onMinimise={(small) => model.minimise(small)} />
          </Suspense>
          <TroubleNote model={model} />
        </section>
      ) : null}
      {dialled ? <Outgoing going={going} model={model} /> : null}
      {over && !going ? <CameToNothing over={over} model={model} /> : null}
      {first && !going ? <Incoming key={first.id} call={first} model={model} aloud={aloud} busy={busy} /> : null}
      <div className="callring-bars">
        {(going ? rings : []).map((call) => (
          <RingBar key={call.id} call={call} model={model} aloud={aloud} busy={busy} engaged />
        ))}
        {back && !first ? <BackBanner call={back} model={model} busy={busy} /> : null}
      </div>
      {lobby ? (
        <Suspense>
          <Lobby session={going?.session} video={going?.video ?? first?.video ?? false} onClose={() => model.showLobby(false)} />
        </Suspense>
      ) : null}
    </>
  );
}
