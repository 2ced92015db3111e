// A participant without a screen: rtc-node in a process of its own, so that it
// can run on another host. Arguments: URL, token, and what to do as JSON:
// { relay: true } to use nothing but TURN. It speaks, and each second prints
// what it has heard. It leaves when its input ends.
import { AudioFrame, AudioSource, AudioStream, LocalAudioTrack, Room, RoomEvent, TrackKind, TrackPublishOptions, TrackSource, dispose } from "@livekit/rtc-node";

const [url, token, raw] = process.argv.slice(2);
const wish = JSON.parse(raw ?? "{}");
const say = (x) => process.stdout.write(JSON.stringify(x) + "\n");

const room = new Room();
let energy = 0;
let frames = 0;
room.on(RoomEvent.TrackSubscribed, async (track) => {
  if (track.kind !== TrackKind.KIND_AUDIO) return;
  for await (const f of new AudioStream(track, 48_000, 1)) {
    let sum = 0;
    for (const s of f.data) sum += (s / 32_768) ** 2;
    energy += sum / f.data.length / 100;
    frames++;
  }
});
const began = performance.now();
await room.connect(url, token, { autoSubscribe: true, dynacast: false, rtcConfig: wish.relay ? { iceTransportType: 0, continualGatheringPolicy: 1, iceServers: [] } : undefined });
say({ connected: performance.now() - began });
const source = new AudioSource(48_000, 1);
const options = new TrackPublishOptions();
options.source = TrackSource.SOURCE_MICROPHONE;
await room.localParticipant.publishTrack(LocalAudioTrack.createAudioTrack("voice", source), options);
let on = true;
process.stdin.on("end", () => (on = false)).resume();
let phase = 0;
for (let n = 0; on; n++) {
  const samples = new Int16Array(480);
  for (let i = 0; i < 480; i++) samples[i] = Math.sin((phase += 0.05 + 0.03 * Math.sin(phase / 900))) * 16_000;
  await source.captureFrame(new AudioFrame(samples, 48_000, 1, 480));
  if (n % 100 === 99) say({ energy, frames });
}
await room.disconnect();
await dispose();
