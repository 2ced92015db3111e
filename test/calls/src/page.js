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
