// Runs in the page: enters rooms with livekit-client, by a token or as a user of the server who calls and answers, and notes what happens.
"use strict";
const notes = (window.events = []);
const note = (...event) => notes.push(event);

const captureDefaults = { resolution: { width: 640, height: 360, frameRate: 15 } };

/** What a Room is made with. */
async function roomOptions(o) {
  const L = window.LivekitClient;
  if (o.log) L.setLogLevel("debug");
  if (o.without !== undefined) { // a browser that cannot decode a codec
    const add = RTCPeerConnection.prototype.addTransceiver;
    RTCPeerConnection.prototype.addTransceiver = function (...args) {
      const t = add.apply(this, args);
      if (t.receiver.track.kind === "video") t.setCodecPreferences(RTCRtpReceiver.getCapabilities("video").codecs.filter((c) => !c.mimeType.toLowerCase().endsWith(o.without)));
      return t;
    };
  }
  const options = {
    adaptiveStream: false,
    dynacast: false,
    singlePeerConnection: !o.v0,
    videoCaptureDefaults: captureDefaults,
    ...o.room,
  };
  if (o.e2ee !== undefined) {
    const keys = new L.ExternalE2EEKeyProvider();
    await keys.setKey(o.e2ee);
    options.e2ee = { keyProvider: keys, worker: new Worker("/e2ee.js") };
  }
  return options;
}

/** When the first picture of each sender was shown and the first sound played, ms since 1970. */
window.first = {};
function firsts(track, identity) {
  const of = (window.first[identity] ??= {});
  const element = track.attach();
  document.body.append(element);
  if (track.kind === "video") element.requestVideoFrameCallback(() => (of.video ??= Date.now()));
  else {
    const look = setInterval(() => {
      if (track.receiver === undefined || track.receiver.getSynchronizationSources().length === 0) return;
      of.audio ??= Date.now();
      clearInterval(look);
    }, 10);
  }
}

/** Notes what happens in a room, which becomes the page's. */
function watch(room) {
  window.room = room;
  notes.length = 0;
  window.first = {};
  room.on("trackSubscribed", (track, pub, p) => {
    note("subscribed", p.identity, pub.source);
    firsts(track, p.identity);
  });
  room.on("trackUnsubscribed", (track, pub, p) => {
    note("unsubscribed", p.identity, pub.source);
    for (const e of track.detach()) e.remove();
  });
  const name = (x) => (Array.isArray(x) ? x.map((y) => y.identity) : x?.identity ?? x?.trackSid ?? String(x));
  for (const event of ["reconnecting", "signalReconnecting", "reconnected", "disconnected", "activeSpeakersChanged", "trackMuted", "trackUnmuted",
    "participantConnected", "participantDisconnected", "trackStreamStateChanged", "connectionQualityChanged", "roomMetadataChanged",
    "participantPermissionsChanged", "trackSubscriptionPermissionChanged"]) {
    room.on(event, (...a) => note(event, ...a.map(name)));
  }
  room.on("dataReceived", (payload, p, _kind, topic) => note("data", p?.identity, topic, new TextDecoder().decode(payload)));
}

async function publish(room, o) {
  const what = o.publish ?? "both";
  if (what === "both") await room.localParticipant.enableCameraAndMicrophone();
  if (what === "audio") await room.localParticipant.setMicrophoneEnabled(true);
  if (what === "video") await room.localParticipant.setCameraEnabled(true);
}

window.joinRoom = async ({ url, token, options: o }) => {
  const room = new window.LivekitClient.Room(await roomOptions(o));
  watch(room);
  if (o.e2ee !== undefined) await room.setE2EEEnabled(true);
  const began = performance.now();
  await room.connect(url, token, o.connect);
  window.connectedIn = performance.now() - began;
  await publish(room, o);
};

async function publishAll(room, opening) {
  await Promise.all((await opening).map((track) => room.localParticipant.publishTrack(track)));
}

/**
 * A camera and a microphone that tell the time, ms since 1970: the picture as 24 squares, black or white (20 bits, and 4 that check them), the sound as a beep at
 * each full second. So a recording of them tells what of it belongs where.
 */
const checked = (now) => ~(now ^ (now >> 4) ^ (now >> 8) ^ (now >> 12) ^ (now >> 16)) & 15; // so black tells no time
window.clocks = async ({ width, height, frames = 15 }) => {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const paint = canvas.getContext("2d");
  const draw = () => {
    const now = Date.now() % 2 ** 20;
    const bits = now + checked(now) * 2 ** 20;
    paint.fillStyle = "#484";
    paint.fillRect(0, 0, canvas.width, canvas.height);
    const [w, h] = [canvas.width / 6, canvas.height / 4];
    for (let i = 0; i < 24; i++) {
      paint.fillStyle = Math.floor(bits / 2 ** i) % 2 === 1 ? "#fff" : "#000";
      paint.fillRect((i % 6) * w, Math.floor(i / 6) * h, w, h);
    }
  };
  draw();
  setInterval(draw, 1000 / frames);
  const sound = new AudioContext({ sampleRate: 48000 });
  await sound.resume();
  const out = sound.createMediaStreamDestination();
  const gain = new GainNode(sound, { gain: 0.02 });
  const tone = new OscillatorNode(sound, { frequency: 440 });
  tone.connect(gain).connect(out);
  tone.start();
  let next = Math.ceil(Date.now() / 1000) * 1000 + 1000;
  const plan = () => {
    for (; next < Date.now() + 3000; next += 1000) {
      const at = sound.currentTime + (next - Date.now()) / 1000;
      gain.gain.setValueAtTime(0.8, at);
      gain.gain.setValueAtTime(0.02, at + 0.15);
    }
  };
  plan();
  setInterval(plan, 500);
  window.turn = (width, height) => { // at once: a canvas of a new size is blank
    Object.assign(canvas, { width, height });
    draw();
  };
  const [video] = canvas.captureStream(frames).getVideoTracks();
  const [audio] = out.stream.getAudioTracks();
  return { video, audio };
};

/** Publishes them. */
window.publishClocks = async (size, options = {}) => {
  const { video, audio } = await window.clocks(size);
  const { localParticipant } = window.room;
  await localParticipant.publishTrack(video, { source: "camera", ...options });
  if (size.sound !== false) await localParticipant.publishTrack(audio, { source: "microphone" });
};

/** Reads a film of such a clock: of each picture that is shown its place in the film, ms, its width, and the time that it tells, -1 when that cannot be read. */
window.readClock = async (raw) => {
  const film = Object.assign(document.createElement("video"), { muted: true, src: URL.createObjectURL(new Blob([raw], { type: "video/webm" })) });
  document.body.append(film);
  const seen = [];
  const canvas = document.createElement("canvas");
  const paint = canvas.getContext("2d", { willReadFrequently: true });
  const look = (_, { mediaTime, width, height }) => {
    Object.assign(canvas, { width: 96, height: 64 });
    paint.drawImage(film, 0, 0, 96, 64);
    const { data } = paint.getImageData(0, 0, 96, 64);
    let bits = 0, sure = true;
    for (let i = 0; i < 24; i++) {
      const level = data[4 * ((Math.floor(i / 6) * 16 + 8) * 96 + (i % 6) * 16 + 8) + 1];
      sure &&= level < 90 || level > 165;
      if (level > 127) bits += 2 ** i;
    }
    const now = bits % 2 ** 20;
    seen.push({ at: mediaTime * 1000, width, height, told: sure && checked(now) === Math.floor(bits / 2 ** 20) ? now : -1 });
    film.requestVideoFrameCallback(look);
  };
  film.requestVideoFrameCallback(look);
  film.playbackRate = 2;
  const over = new Promise((resolve) => ["ended", "error"].forEach((name) => film.addEventListener(name, resolve, { once: true })));
  await film.play().catch(() => undefined);
  await over;
  const error = film.error?.message ?? "";
  const out = { seen, duration: film.duration * 1000, at: film.currentTime * 1000, error };
  film.remove();
  return out;
};

/** Reads its sound: where each beep begins, ms. */
window.readBeeps = async (raw) => {
  const sound = await new OfflineAudioContext(1, 48000, 48000).decodeAudioData(raw);
  const data = sound.getChannelData(0);
  const step = 240;
  const beeps = [];
  let last = -1000;
  for (let at = 0; at + step <= data.length; at += step) {
    let most = 0;
    for (let i = at; i < at + step; i++) most = Math.max(most, Math.abs(data[i]));
    const now = at / 48;
    if (most > 0.25) {
      if (now - last > 300) beeps.push(now);
      last = now;
    }
  }
  return { beeps, duration: sound.duration * 1000 };
};

/** Signs a device in: from then on it rings. */
window.signIn = async ({ endpoint, token, device }) => {
  const [{ createClient }, { calls }, { connect }] = await Promise.all(["/client/index.js", "/client/modules/calls/index.js", "/client/modules/calls/livekit/index.js"].map((m) => import(m)));
  const client = createClient({ endpoint, appId: "demo", token: async () => token, deviceId: device, modules: { calls: calls() } });
  Object.assign(window, { client, connectCall: connect, rings: [], over: [] });
  client.calls.on("incoming", ({ id }) => window.rings.push(id));
  client.calls.on("ended", ({ call, reason }) => window.over.push(call.id + " " + reason));
  await client.connect();
};

/**
 * Starts a call or answers one, and enters its room with camera and microphone, which are opened and published meanwhile. Notes when each step
 * was done.
 */
window.enterCall = async ({ accept, start, options: o }) => {
  const { client } = window;
  const at = (window.at = { began: Date.now() });
  const what = o.publish ?? "both";
  const capture = (o.room ?? {}).videoCaptureDefaults ?? captureDefaults;
  const early = what === "none" ? [] : window.LivekitClient.createLocalTracks({ audio: what !== "video", video: what !== "audio" && capture });
  const joined = accept === undefined ? await client.calls.start(start.group ?? client.conversation.with(start.user), start.call) : await client.calls.accept(accept);
  at.letIn = Date.now();
  let published;
  const prepare = (room) => {
    watch(room);
    // Nothing goes out before it is encrypted.
    if (o.e2ee === undefined) published = publishAll(room, early);
  };
  window.inCall = await window.connectCall(window.LivekitClient, client.calls, joined, await roomOptions(o), prepare);
  at.connected = Date.now();
  if (o.e2ee !== undefined) await window.room.setE2EEEnabled(true);
  await (published ?? publishAll(window.room, early));
  at.published = Date.now();
  return joined.call.id;
};
