import type { Room } from "livekit-client";
import { describe, expect, test } from "vitest";
import { Looker, verdictOf, type Figures } from "../../src/calls/details/stats.ts";

type Entry = Readonly<Record<string, unknown>>;

/** A room whose tracks report what is given. */
function room(local: readonly Entry[], remote: readonly Entry[] = []): Room {
  const participant = (identity: string, isLocal: boolean, source: string, kind: string, entries: readonly Entry[]) => ({
    identity,
    isLocal,
    trackPublications: new Map(entries.length > 0 ? [["t", { source, isMuted: false, track: { kind, getRTCStatsReport: async () => new Map(entries.map((entry) => [entry["id"], entry])) } }]] : []),
  });
  return { localParticipant: participant("ann/phone", true, "camera", "video", local), remoteParticipants: new Map([["bob/desk", participant("bob/desk", false, "microphone", "audio", remote)]]) } as unknown as Room;
}

const way = [
  { id: "T", type: "transport", selectedCandidatePairId: "P" },
  { id: "P", type: "candidate-pair", localCandidateId: "L", remoteCandidateId: "R", currentRoundTripTime: 0.042, availableOutgoingBitrate: 900_000 },
  { id: "L", type: "local-candidate", candidateType: "host", protocol: "udp" },
  { id: "R", type: "remote-candidate", candidateType: "host" },
];

const layers = (at: number, bytes: number, lost: number) => [
  { id: "q", type: "outbound-rtp", timestamp: at, bytesSent: bytes / 4, packetsSent: bytes / 4000, frameHeight: 180, frameWidth: 320, codecId: "C" },
  { id: "f", type: "outbound-rtp", timestamp: at, bytesSent: (bytes * 3) / 4, packetsSent: (bytes * 3) / 4000, frameHeight: 720, frameWidth: 1280, framesPerSecond: 24, codecId: "C" },
  { id: "C", type: "codec", mimeType: "video/VP8" },
  { id: "RI", type: "remote-inbound-rtp", localId: "f", packetsLost: lost, jitter: 0.012 },
  ...way,
];
const sound = (at: number, bytes: number, packets: number, lost: number) => [{ id: "i", type: "inbound-rtp", timestamp: at, bytesReceived: bytes, packetsReceived: packets, packetsLost: lost, jitter: 0.003 }];

describe("figures of a connection", () => {
  test("are what changed since the look before, of all layers together", async () => {
    const looker = new Looker();
    const first = await looker.look(room(layers(1000, 100_000, 0), sound(1000, 4000, 50, 0)));
    expect(first).toMatchObject({ up: 0, down: 0 });
    const { up, down, loss, way: taken, tracks } = await looker.look(room(layers(3000, 350_000, 5), sound(3000, 20_000, 140, 10)));
    expect([up, down]).toEqual([1_000_000, 64_000]);
    expect(taken).toEqual({ protocol: "udp", roundTrip: 42, available: 900_000 });
    expect(tracks[0]).toMatchObject({ up: true, source: "camera", width: 1280, height: 720, fps: 24, codec: "VP8", jitter: 12, loss: 2 });
    // Of 100 that were sent 10 did not arrive.
    expect(tracks[1]).toMatchObject({ up: false, source: "microphone", loss: 10, jitter: 3 });
    expect(loss).toBe(10);
  });

  test("begin anew with another connection", async () => {
    const looker = new Looker();
    await looker.look(room(layers(1000, 500_000, 9)));
    expect(await looker.look(room(layers(3000, 1000, 0)))).toMatchObject({ up: 0, loss: 0 });
  });

  test("name the way: by a relay, or by TCP", async () => {
    const by = async (changes: Entry) => (await new Looker().look(room([{ id: "f", type: "outbound-rtp" }, ...way.map((entry) => (entry.id === "L" ? { ...entry, ...changes } : entry))]))).way?.protocol;
    expect(await by({ candidateType: "relay" })).toBe("relay");
    expect(await by({ protocol: "tcp" })).toBe("tcp");
  });
});

describe("the verdict", () => {
  const track = { key: "", identity: "", up: true, source: "camera", bitrate: 1, loss: 0, jitter: 5, width: undefined, height: undefined, fps: undefined, codec: undefined } as const;
  const good: Figures = { up: 1, down: 1, loss: 0, way: { protocol: "udp", roundTrip: 30, available: 2_000_000 }, tracks: [track] };
  const udp = { protocol: "udp", roundTrip: 30, available: 2_000_000 } as const;
  test.each([
    ["good", good],
    ["nothing", { ...good, tracks: [] }],
    ["loses", { ...good, loss: 8 }],
    ["slow", { ...good, way: { ...udp, roundTrip: 700 } }],
    ["unsteady", { ...good, tracks: [{ ...track, jitter: 160 }] }],
    ["narrow", { ...good, way: { ...udp, available: 60_000 } }],
  ] as const)("is %s", (verdict, figures) => {
    expect(verdictOf(figures)).toBe(verdict);
  });
});
