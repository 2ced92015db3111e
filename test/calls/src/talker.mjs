// A participant without a screen that speaks all the time: rtc-node in a process
// of its own, as each client is. Arguments: URL and token. It prints the time
// whenever it hears somebody, and leaves when its input ends.
import { AudioFrame, AudioSource, AudioStream, LocalAudioTrack, Room, RoomEvent, TrackKind, TrackPublishOptions, TrackSource, dispose } from "@livekit/rtc-node";

const [url, token] = process.argv.slice(2);
const room = new Room();
let told = 0;
room.on(RoomEvent.TrackSubscribed, async (track) => {
  if (track.kind !== TrackKind.KIND_AUDIO) return;
  for await (const f of new AudioStream(track, 48_000, 1)) {
    const now = Date.now();
    if (now - told < 20 || !f.data.some((s) => Math.abs(s) > 1000)) continue;
    told = now;
    process.stdout.write(`heard ${now}\n`);
  }
});
if (process.env.CALLS_LOG !== undefined) {
  for (const e of [RoomEvent.Disconnected, RoomEvent.Reconnecting, RoomEvent.Reconnected, RoomEvent.TrackSubscribed, RoomEvent.ParticipantConnected, RoomEvent.ParticipantDisconnected]) {
    room.on(e, () => console.error(new Date().toISOString(), room.localParticipant?.identity, e));
  }
}
await room.connect(url, token, { autoSubscribe: true, dynacast: false });
let on = true;
process.stdin.on("end", () => (on = false)).resume();
room.on(RoomEvent.Disconnected, () => (on = false));
const source = new AudioSource(48_000, 1);
const options = new TrackPublishOptions();
options.source = TrackSource.SOURCE_MICROPHONE;
await room.localParticipant.publishTrack(LocalAudioTrack.createAudioTrack("voice", source), options);
let phase = 0;
while (on) {
  const samples = new Int16Array(480);
  for (let i = 0; i < 480; i++) samples[i] = Math.sin((phase += 0.05)) * 16_000;
  await source.captureFrame(new AudioFrame(samples, 48_000, 1, 480));
}
await room.disconnect();
await dispose();
process.stdin.destroy();
