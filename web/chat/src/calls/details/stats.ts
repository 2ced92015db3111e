// What the browser counts of a call's connection, as figures a second.
import type * as livekit from "livekit-client";

/** One track, in one direction. */
export interface TrackFigures {
  /** The same from one look to the next. */
  readonly key: string;
  readonly identity: string;
  readonly up: boolean;
  readonly source: "microphone" | "camera" | "screen" | "screenSound";
  /** Bits a second, since the look before. */
  readonly bitrate: number;
  /** Of 100 packets, since the look before. */
  readonly loss: number | undefined;
  /** Milliseconds. */
  readonly jitter: number | undefined;
  readonly width: number | undefined;
  readonly height: number | undefined;
  readonly fps: number | undefined;
  /** Without "audio/" and "video/". */
  readonly codec: string | undefined;
}

/** The way that everything takes. */
export interface Way {
  readonly protocol: "udp" | "tcp" | "relay";
  /** Milliseconds there and back. */
  readonly roundTrip: number | undefined;
  /** What the browser thinks it can send, in bits a second. */
  readonly available: number | undefined;
}

/** All of one look. */
export interface Figures {
  readonly up: number;
  readonly down: number;
  readonly loss: number;
  readonly way: Way | undefined;
  readonly tracks: readonly TrackFigures[];
}

/** What is kept from one look to the next. */
interface Counted {
  readonly at: number;
  readonly bytes: number;
  readonly packets: number;
  readonly lost: number;
}

/** The fields of the reports that are read; the DOM's types have only some of them. */
interface Entry {
  readonly id: string;
  readonly type: string;
  readonly timestamp: number;
  readonly kind?: string;
  readonly bytesSent?: number;
  readonly bytesReceived?: number;
  readonly packetsSent?: number;
  readonly packetsReceived?: number;
  readonly packetsLost?: number;
  readonly fractionLost?: number;
  readonly jitter?: number;
  readonly frameWidth?: number;
  readonly frameHeight?: number;
  readonly framesPerSecond?: number;
  readonly codecId?: string;
  readonly mimeType?: string;
  readonly localId?: string;
  readonly selectedCandidatePairId?: string;
  readonly localCandidateId?: string;
  readonly remoteCandidateId?: string;
  readonly currentRoundTripTime?: number;
  readonly availableOutgoingBitrate?: number;
  readonly candidateType?: string;
  readonly protocol?: string;
  readonly relayProtocol?: string;
}

const sources: Readonly<Record<string, TrackFigures["source"]>> = { microphone: "microphone", camera: "camera", screen_share: "screen", screen_share_audio: "screenSound" };

/** Looks at the counters of a room again and again, and says what changed. */
export class Looker {
  readonly #before = new Map<string, Counted>();

  /** One look. The first has no rates. */
  async look(room: livekit.Room): Promise<Figures> {
    const tracks: TrackFigures[] = [];
    let way: Way | undefined;
    for (const participant of [room.localParticipant, ...room.remoteParticipants.values()]) {
      for (const { track, source, isMuted } of participant.trackPublications.values()) {
        const report = isMuted ? undefined : await track?.getRTCStatsReport().catch(() => undefined);
        if (!report || !track) continue;
        const entries = [...report.values()] as Entry[];
        way ??= wayOf(entries);
        tracks.push(this.#track(entries, `${participant.identity} ${source}`, participant.identity, participant.isLocal, sources[source] ?? (track.kind === "audio" ? "microphone" : "camera")));
      }
    }
    const sum = (up: boolean) => tracks.reduce((all, track) => all + (track.up === up ? track.bitrate : 0), 0);
    return { up: sum(true), down: sum(false), loss: Math.max(0, ...tracks.map(({ loss = 0 }) => loss)), way, tracks };
  }

  #track(entries: readonly Entry[], key: string, identity: string, up: boolean, source: TrackFigures["source"]): TrackFigures {
    const streams = entries.filter(({ type }) => type === (up ? "outbound-rtp" : "inbound-rtp"));
    // Of the layers of a camera the largest that is sent.
    const main = [...streams].sort((a, b) => (b.frameHeight ?? 0) - (a.frameHeight ?? 0) || (b.bytesSent ?? 0) - (a.bytesSent ?? 0))[0];
    const told = entries.filter(({ type }) => type === "remote-inbound-rtp");
    const total = (of: (entry: Entry) => number | undefined, from: readonly Entry[] = streams) => from.reduce((all, entry) => all + (of(entry) ?? 0), 0);
    const now: Counted = {
      at: main?.timestamp ?? 0,
      bytes: total((entry) => (up ? entry.bytesSent : entry.bytesReceived)),
      packets: total((entry) => (up ? entry.packetsSent : entry.packetsReceived)),
      lost: total((entry) => entry.packetsLost, up ? told : streams),
    };
    const before = this.#before.get(key);
    this.#before.set(key, now);
    // Counters that begin anew belong to another stream.
    const since = before && now.at > before.at && now.bytes >= before.bytes ? before : undefined;
    const sent = since ? now.packets - since.packets + (up ? 0 : Math.max(0, now.lost - since.lost)) : 0;
    const jitter = up ? told.find((entry) => entry.localId === main?.id)?.jitter : main?.jitter;
    const codec = entries.find(({ id }) => id === main?.codecId)?.mimeType?.replace(/^(audio|video)\//, "");
    return {
      key,
      identity,
      up,
      source,
      bitrate: since ? ((now.bytes - since.bytes) * 8000) / (now.at - since.at) : 0,
      loss: since && sent > 0 ? Math.min(100, (100 * Math.max(0, now.lost - since.lost)) / sent) : undefined,
      jitter: jitter === undefined ? undefined : jitter * 1000,
      width: main?.frameWidth,
      height: main?.frameHeight,
      fps: main?.framesPerSecond,
      codec,
    };
  }
}

function wayOf(entries: readonly Entry[]): Way | undefined {
  const of = (id: string | undefined) => entries.find((entry) => entry.id === id);
  const pair = of(entries.find(({ type, selectedCandidatePairId }) => type === "transport" && selectedCandidatePairId)?.selectedCandidatePairId);
  if (!pair) return undefined;
  const local = of(pair.localCandidateId);
  const relayed = local?.candidateType === "relay" || of(pair.remoteCandidateId)?.candidateType === "relay";
  return {
    protocol: relayed ? "relay" : local?.protocol === "tcp" ? "tcp" : "udp",
    roundTrip: pair.currentRoundTripTime === undefined ? undefined : pair.currentRoundTripTime * 1000,
    available: pair.availableOutgoingBitrate,
  };
}

/** What the figures mean for who only wants to talk. */
export type Verdict = "good" | "loses" | "slow" | "unsteady" | "narrow" | "nothing";

/** The worst that the figures say. */
export function verdictOf({ loss, way, tracks }: Figures): Verdict {
  if (tracks.length === 0) return "nothing";
  if (loss > 5) return "loses";
  if ((way?.roundTrip ?? 0) > 400) return "slow";
  if (tracks.some(({ jitter = 0 }) => jitter > 100)) return "unsteady";
  if (way?.available !== undefined && way.available < 150_000 && tracks.some(({ up, source }) => up && source === "camera")) return "narrow";
  return "good";
}
