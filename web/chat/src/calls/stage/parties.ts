// Who is in a call, as the stage draws them.
import { participantOf } from "@skein/client/calls";
import type * as livekit from "livekit-client";
import type { CallSession } from "../session.ts";

/** How well somebody is connected, as the media server judges it. */
export type Quality = "good" | "fair" | "poor" | "lost" | "unknown";

/** Somebody in the room. */
export interface Party {
  readonly identity: string;
  readonly user: string;
  readonly local: boolean;
  readonly microphone: boolean;
  readonly speaking: boolean;
  readonly quality: Quality;
  /** Only hears and sees. */
  readonly viewer: boolean;
  readonly camera: livekit.Track | undefined;
  readonly screen: livekit.Track | undefined;
  /** The camera is on, but the media server holds it back: the connection is too narrow. */
  readonly paused: boolean;
  /** Cannot be seen and heard: encrypted by other words. */
  readonly unreadable: boolean;
  /** Sends something that the media server can read, while this call is encrypted. */
  readonly open: boolean;
  /** Sends something encrypted end to end, which no recording of the server's has. */
  readonly secret: boolean;
}

/** What a tile shows: somebody, or their screen. */
export interface Shown {
  /** What pins and keys name it by. */
  readonly key: string;
  readonly kind: "camera" | "screen";
  readonly party: Party;
  readonly local: boolean;
}

const qualities: Readonly<Record<string, Quality>> = { excellent: "good", good: "fair", poor: "poor", lost: "lost" };

function partyOf(participant: livekit.Participant, session: CallSession): Party {
  const { identity, isLocal: local } = participant;
  const of = (source: "camera" | "screen_share"): livekit.TrackPublication | undefined => participant.getTrackPublication(source as livekit.Track.Source);
  const shown = (publication: livekit.TrackPublication | undefined) => (publication && !publication.isMuted ? publication.videoTrack : undefined);
  const camera = of("camera");
  const publications = [...participant.trackPublications.values()];
  const encrypted = (publication: livekit.TrackPublication) => publication.isEncrypted;
  const unreadable = !local && (session.words === undefined ? publications.some(encrypted) : session.unreadable.has(identity));
  return {
    identity,
    user: participantOf(identity)?.user ?? (participant.name || identity),
    local,
    microphone: participant.isMicrophoneEnabled,
    speaking: participant.isSpeaking && participant.isMicrophoneEnabled && !unreadable,
    quality: qualities[participant.connectionQuality] ?? "unknown",
    viewer: local ? session.viewer : participant.permissions?.canPublish === false,
    camera: unreadable ? undefined : shown(camera),
    screen: unreadable ? undefined : shown(of("screen_share")),
    paused: camera?.videoTrack?.streamState === "paused",
    unreadable,
    open: !local && session.words !== undefined && publications.some((publication) => !encrypted(publication)),
    secret: publications.some(encrypted),
  };
}

/** Everybody in the room: others in the order in which they came, then oneself. */
export function partiesOf(session: CallSession): readonly Party[] {
  const { room } = session;
  if (!room) return [];
  const at = (participant: livekit.Participant) => participant.joinedAt?.getTime() ?? Number.MAX_SAFE_INTEGER;
  const others = [...room.remoteParticipants.values()].sort((a, b) => at(a) - at(b) || (a.identity < b.identity ? -1 : 1));
  return [...others, room.localParticipant].map((participant) => partyOf(participant, session));
}

/** Those who are in the call, and not in the room: on their way into it, or cut off. */
export function absentOf(session: CallSession, parties: readonly Pick<Party, "user">[]): readonly string[] {
  const here = new Set(parties.map(({ user }) => user));
  return session.call.parties.flatMap(({ user, state }) => (state === "joined" && user !== session.userId && !here.has(user) ? [user] : []));
}

/** A tile for each of them, and one for each screen, screens first. Of viewers one sees tiles only when there are few. */
export function tilesOf(parties: readonly Party[]): readonly Shown[] {
  const screens = parties.filter(({ screen }) => screen).map((party): Shown => ({ key: `${party.identity} screen`, kind: "screen", party, local: party.local }));
  const seen = parties.length > 12 ? parties.filter(({ viewer, local }) => !viewer || local) : parties;
  return [...screens, ...seen.map((party): Shown => ({ key: party.identity, kind: "camera", party, local: party.local }))];
}

/** What is large when one is: what is pinned, else a screen of somebody else, else who speaks or spoke last. */
export function largest(tiles: readonly Shown[], pinned: string | undefined, speaker: string | undefined): Shown | undefined {
  return (
    tiles.find(({ key }) => key === pinned) ??
    tiles.find(({ kind, local }) => kind === "screen" && !local) ??
    tiles.find(({ kind, party }) => kind === "camera" && party.identity === speaker) ??
    tiles.find(({ local, party }) => !local && !party.viewer) ??
    tiles.find(({ local }) => !local) ??
    tiles[0]
  );
}
