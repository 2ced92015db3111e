import { SkeinError } from "@skein/client";
import type { Call, CallsEvents, Joined, NewCall, OwnCall } from "@skein/client/calls";
import { describe, expect, test } from "vitest";
import { knownOf } from "../../src/calls/known.ts";
import type { Offer } from "../../src/calls/ring/tabs.ts";
import { CallsModel, type News, type SessionLike, type With } from "../../src/calls/model.ts";

type Listener = (event: never) => void;

class FakeSession implements SessionLike {
  state: SessionLike["state"] = "connecting";
  error: unknown;
  over: string | undefined;
  hungUp = 0;
  readonly on: With;
  readonly #listeners = new Set<() => void>();
  constructor(on: With) {
    this.on = on;
  }
  async hangUp(): Promise<void> {
    this.hungUp += 1;
    this.end("left");
  }
  switched: string[] = [];
  async setMicrophone(on: boolean): Promise<void> {
    this.switched.push(`microphone ${on}`);
  }
  async setCamera(on: boolean): Promise<void> {
    this.switched.push(`camera ${on}`);
  }
  end(over: string): void {
    if (this.state === "ended") return;
    this.over = over;
    this.state = "ended";
    for (const each of [...this.#listeners]) each();
  }
  onChange(fn: () => void): () => void {
    this.#listeners.add(fn);
    return () => this.#listeners.delete(fn);
  }
}

const own = (id: string, more: Partial<OwnCall> = {}): OwnCall => ({
  id,
  conversation: "alice~bob",
  starter: "bob",
  video: true,
  state: "ringing",
  end: undefined,
  started: 1,
  answered: undefined,
  own: "ringing",
  role: "publisher",
  device: "",
  invitedBy: "bob",
  ringsUntil: 60_000,
  recording: undefined,
  ...more,
});

/** A world of one tab: what the server says, and what was asked of it. */
class World {
  now: readonly OwnCall[] = [];
  asked: string[] = [];
  told: News[] = [];
  failed: unknown[] = [];
  sessions: FakeSession[] = [];
  held = new Set<string>();
  looking: Offer[] = [];
  turn: (() => void) | undefined;
  timers = new Map<() => void, number>();
  allowed: With | undefined;
  known = false;
  answer: () => Promise<Joined> = async () => this.joined({});
  readonly #listeners = new Map<string, Set<Listener>>();

  joined(more: Partial<Call>, access = true): Joined {
    const { own: _, device, invitedBy, ringsUntil, ...facts } = own("c1");
    const call = { ...facts, ended: undefined, parties: [], count: 2, joined: 1, ...more } as Call;
    return { call, access: access ? { url: "", token: "", identity: "" } : undefined };
  }

  emit<Name extends keyof CallsEvents>(name: Name, event: CallsEvents[Name]): void {
    for (const each of this.#listeners.get(name) ?? []) each(event as never);
  }

  /** What the server says now. */
  says(...calls: OwnCall[]): void {
    this.now = calls;
    this.emit("changed", { conversation: "alice~bob" });
  }

  model(): CallsModel<FakeSession> {
    return new CallsModel<FakeSession>({
      calls: {
        get now() {
          return world.now;
        },
        on: (name: string, fn: Listener) => {
          const all = this.#listeners.get(name) ?? new Set();
          this.#listeners.set(name, all.add(fn));
          return () => all.delete(fn);
        },
        start: async (_: unknown, what: NewCall) => {
          this.asked.push(`start ${what.video === true ? "video" : "voice"} ${what.users?.join() ?? (what.quiet ? "quiet" : "all")}`);
          return this.answer();
        },
        accept: async (id: string, { move = false } = {}) => {
          this.asked.push(`accept ${id}${move ? " move" : ""}`);
          return this.answer();
        },
        decline: async (id: string) => void this.asked.push(`decline ${id}`) as never,
        leave: async (id: string) => void this.asked.push(`leave ${id}`) as never,
      },
      device: () => "here",
      onDevice: () => () => undefined,
      connect: (_, on) => {
        const session = new FakeSession(on);
        this.sessions.push(session);
        return session;
      },
      prepare: async (on) => ({ allowed: this.allowed ?? on, trouble: this.allowed ? { microphone: "denied" } : undefined }),
      aloud: (fn) => {
        this.turn = fn;
        return () => (this.turn = undefined);
      },
      keep: (id, offer) => {
        if (offer) this.looking.push(offer);
        else this.held.add(id);
        return () => void (offer ? (this.looking = this.looking.filter((one) => one !== offer)) : this.held.delete(id));
      },
      known: { read: () => this.known, write: (available) => void (this.known = available) },
      tell: (news) => void this.told.push(news),
      fail: (error) => void this.failed.push(error),
      later: (fn, ms) => {
        this.timers.set(fn, ms);
        return () => void this.timers.delete(fn);
      },
    });
  }
}
let world: World;
const make = (...now: OwnCall[]): [World, CallsModel<FakeSession>] => {
  world = new World();
  world.now = now;
  return [world, world.model()];
};

describe("a call that comes", () => {
  test("rings in every tab, and aloud in the one whose turn it is", () => {
    const [w, model] = make();
    w.says(own("c1"));
    expect(model.get().rings.map(({ id }) => id)).toEqual(["c1"]);
    expect(model.get().aloud).toBe(false);
    w.turn?.();
    expect(model.get().aloud).toBe(true);
  });

  test("rings again in a page that is loaded anew", () => {
    const [, model] = make(own("c1"));
    expect(model.get().rings).toHaveLength(1);
  });

  test("is answered with what was allowed, and rings no more", async () => {
    const [w, model] = make(own("c1"));
    w.allowed = { camera: true, microphone: false };
    w.answer = async () => {
      w.now = [own("c1", { own: "joined", device: "here", state: "active" })];
      return w.joined({ state: "active" });
    };
    await model.accept("c1", { camera: true, microphone: true });
    expect(model.get().going).toMatchObject({ phase: "in", call: "c1" });
    expect(w.sessions[0]?.on).toEqual({ camera: true, microphone: false });
    expect(model.get().trouble).toEqual({ microphone: "denied" });
    expect(model.get().rings).toEqual([]);
    expect(w.turn).toBeUndefined();
    expect([...w.held]).toEqual(["c1"]);
  });

  test("has the microphone that it began without as soon as that works", async () => {
    const [w, model] = make(own("c1"));
    w.allowed = { camera: true, microphone: false };
    await model.accept("c1", { camera: true, microphone: true });
    model.works("camera");
    model.works("microphone");
    model.works("microphone");
    expect(w.sessions[0]?.switched).toEqual(["microphone true"]);
    expect(model.get().trouble).toBeUndefined();
  });

  test.each([
    ["answeredElsewhere", "other", "answeredElsewhere"],
    ["answeredElsewhere", "here", "answeredTab"],
    ["declinedElsewhere", "other", "declinedElsewhere"],
    ["missed", "", "missed"],
  ] as const)("%s by device %j stops with a word about it: %s", (reason, device, word) => {
    const [w, model] = make(own("c1"));
    const now = own("c1", { own: reason === "answeredElsewhere" ? "joined" : "missed", device });
    w.now = [now];
    w.emit("ended", { call: now, reason });
    expect(model.get().rings).toEqual([]);
    expect(w.told).toEqual([{ call: now, reason: word }]);
  });

  test("is declined at once, whatever the server takes, and nothing is said of it", async () => {
    const [w, model] = make(own("c1"));
    const done = model.decline("c1");
    expect(model.get().rings).toEqual([]);
    await done;
    w.emit("ended", { call: own("c1", { own: "declined" }), reason: "declined" });
    expect(w.asked).toEqual(["decline c1"]);
    expect(w.told).toEqual([]);
  });

  test("rings once more when who declined is invited again", async () => {
    const [w, model] = make();
    w.says(own("c1"));
    await model.decline("c1");
    w.says(own("c1", { own: "declined", state: "active" }));
    expect(model.get().rings).toEqual([]);
    const again = own("c1", { state: "active", ringsUntil: 120_000 });
    w.says(again);
    w.emit("incoming", again);
    expect(model.get().rings).toEqual([again]);
  });

  test("rings no more when its time is over and the server is out of reach", () => {
    const [w, model] = make(own("c1"));
    w.emit("ended", { call: own("c1"), reason: "missed" });
    expect(model.get().rings).toEqual([]);
    expect(w.told).toEqual([{ call: own("c1"), reason: "missed" }]);
  });

  test("does not ring for ever when the server says nothing more", () => {
    const [w, model] = make(own("c1"));
    expect([...w.timers.values()]).toEqual([90_000]);
    [...w.timers.keys()][0]?.();
    expect(model.get().rings).toEqual([]);
    expect(w.turn).toBeUndefined();
  });

  test("ends the call that goes on when it is answered", async () => {
    const [w, model] = make();
    await model.start("alice~bob", { video: false });
    w.says(own("c1", { own: "joined", device: "here" }), own("c2"));
    w.answer = async () => w.joined({ id: "c2", state: "active" });
    await model.accept("c2", { camera: false, microphone: true });
    expect(w.sessions[0]?.hungUp).toBe(1);
    expect(model.get().going?.call).toBe("c2");
    expect([...w.held]).toEqual(["c2"]);
  });

  test("that came while one was in another call is told of", () => {
    const [w] = make();
    const missed = own("c9", { own: "busy" });
    w.says(missed);
    w.says(missed);
    expect(w.told).toEqual([{ call: missed, reason: "engaged" }]);
  });
});

describe("a call that was dialled", () => {
  test("rings until somebody has answered", async () => {
    const [w, model] = make();
    const done = model.start("alice~bob", { video: true });
    expect(model.get().going?.phase).toBe("dialling");
    await done;
    expect(model.get().going?.phase).toBe("ringing");
    const answered = own("c1", { own: "joined", device: "here", state: "active", answered: 5 });
    w.now = [answered];
    w.emit("accepted", answered);
    expect(model.get().going?.phase).toBe("in");
  });

  test.each(["declined", "noAnswer", "busy"] as const)("and came to nothing says so: %s", async (reason) => {
    const [w, model] = make();
    await model.start("alice~bob", { video: true });
    w.emit("ended", { call: own("c1", { own: "left", end: reason }), reason });
    expect(model.get().going).toBeUndefined();
    expect(model.get().over).toEqual({ conversation: "alice~bob", dialled: { video: true }, why: reason });
    expect(w.sessions[0]?.state).toBe("ended");
    expect([...w.held]).toEqual([]);
    model.dismiss();
    expect(model.get().over).toBeUndefined();
  });

  test("to somebody who is in another call is busy at once", async () => {
    const [w, model] = make();
    w.answer = async () => w.joined({ state: "ended", end: "busy" }, false);
    await model.start("alice~bob", { video: false });
    expect(model.get().over?.why).toBe("busy");
    expect(w.sessions).toEqual([]);
  });

  test("that is given up while the server is asked is left", async () => {
    const [w, model] = make();
    const done = model.start("alice~bob", { video: false });
    await model.hangUp();
    await done;
    expect(w.asked).toEqual([]);
    let let_in: (joined: Joined) => void = () => undefined;
    w.answer = () => new Promise((resolve) => (let_in = resolve));
    const again = model.start("alice~bob", { video: false });
    await Promise.resolve();
    await Promise.resolve();
    await model.hangUp();
    let_in(w.joined({}));
    await again;
    expect(w.asked).toEqual(["start voice all", "leave c1"]);
    expect(w.sessions).toEqual([]);
  });

  test("to somebody who calls in the same moment answers their call", async () => {
    const [w, model] = make();
    w.answer = async () => {
      w.now = [own("c7")];
      w.answer = async () => w.joined({ id: "c7", state: "active" });
      throw new SkeinError("already_exists", "there is a call in this conversation");
    };
    await model.start("alice~bob", { video: true });
    expect(w.asked).toEqual(["start video all", "accept c7"]);
    expect(model.get().going?.call).toBe("c7");
    expect(w.failed).toEqual([]);
  });

  test("rings some of a group, or nobody", async () => {
    const [w, model] = make();
    await model.start("design", { video: false, users: ["bob"] });
    await model.hangUp();
    w.answer = async () => w.joined({ id: "c2", state: "active" });
    await model.start("design", { video: true, quiet: true });
    expect(w.asked).toEqual(["start voice bob", "start video quiet"]);
    expect(model.get().going?.phase).toBe("in");
  });
});

describe("a call that goes on", () => {
  const mine = own("c1", { own: "joined", device: "here", state: "active", answered: 3 });

  test("of a page that was loaded anew is offered, once no other tab is in it", async () => {
    const [w, model] = make(mine);
    expect(model.get().back).toBeUndefined();
    w.looking[0]?.free();
    expect(model.get().back?.id).toBe("c1");
    w.looking[0]?.taken();
    expect(model.get().back).toBeUndefined();
    w.looking[0]?.free();
    await model.accept("c1", { camera: false, microphone: true });
    expect(model.get().back).toBeUndefined();
    expect(model.get().going?.call).toBe("c1");
  });

  test("with another device is not offered as one's own", () => {
    const [w] = make(own("c1", { own: "joined", device: "phone" }));
    expect(w.looking).toEqual([]);
  });

  test("whose connection is lost for good is told of", async () => {
    const [w, model] = make();
    w.answer = async () => w.joined({ state: "active" });
    await model.accept("c1", { camera: false, microphone: true });
    w.now = [mine];
    w.sessions[0]?.end("lost");
    expect(model.get().going).toBeUndefined();
    expect(w.told).toEqual([{ call: mine, reason: "lost" }]);
  });

  test("that the user was taken out of says so", async () => {
    const [w, model] = make();
    w.answer = async () => w.joined({ state: "active" });
    await model.accept("c1", { camera: false, microphone: true });
    w.now = [mine];
    w.sessions[0]?.end("removed");
    const removed = { ...mine, own: "removed" as const };
    w.now = [removed];
    w.emit("ended", { call: removed, reason: "removed" });
    w.says();
    expect(w.told).toEqual([{ call: removed, reason: "removed" }]);
  });

  test("that moved to another device ends here, and may come back", async () => {
    const [w, model] = make();
    w.answer = async () => w.joined({ state: "active" });
    await model.accept("c1", { camera: false, microphone: true });
    const moved = { ...mine, device: "phone" };
    w.now = [mine];
    w.sessions[0]?.end("removed");
    expect(w.told).toEqual([]);
    w.says(moved);
    w.says(moved);
    expect(w.told).toEqual([{ call: moved, reason: "moved" }]);
    expect(model.get().back).toBeUndefined();
    await model.accept("c1", { camera: false, microphone: true }, { move: true });
    expect(w.asked).toEqual(["accept c1", "accept c1 move"]);
    expect(model.get().going?.call).toBe("c1");
  });
});

describe("whether the server has calls", () => {
  const refused = (code: "failed_precondition" | "not_found") => async () => {
    throw new SkeinError(code, "refused");
  };

  test("is found out by asking it once", async () => {
    const [w, model] = make();
    w.answer = refused("failed_precondition");
    model.ask();
    model.ask();
    await expect.poll(() => model.get().available).toBe(false);
    expect(w.asked).toHaveLength(1);
    expect(w.known).toBe(false);
  });

  test("is not asked where it is known, until a call is refused", async () => {
    const [w, model] = make();
    w.known = true;
    model.ask();
    expect(model.get().available).toBe(true);
    expect(w.asked).toEqual([]);
    w.answer = refused("failed_precondition");
    await model.start("alice~bob", { video: false });
    await expect.poll(() => model.get().available).toBe(false);
    expect(w.failed).toHaveLength(1);
  });

  test("is kept for a day", () => {
    const kept = new Map<string, string>();
    let now = 1000;
    const storage = { getItem: (key: string) => kept.get(key) ?? null, setItem: (key: string, value: string) => void kept.set(key, value), removeItem: (key: string) => void kept.delete(key) };
    const known = knownOf(storage, "demo", () => now);
    expect(known.read()).toBe(false);
    known.write(true);
    expect(known.read()).toBe(true);
    expect(knownOf(storage, "other", () => now).read()).toBe(false);
    now += 86_400_000;
    expect(known.read()).toBe(false);
  });
});
