// Runs in the page: joins a room with livekit-client, and notes what happens.
"use strict";
window.joinRoom = async ({ url, token, options: o }) => {
  const L = window.LivekitClient;
  if (o.log) L.setLogLevel("debug");
  const options = {
    adaptiveStream: false,
    dynacast: false,
    singlePeerConnection: !o.v0,
    videoCaptureDefaults: { resolution: { width: 640, height: 360, frameRate: 15 } },
    ...o.room,
  };
  if (o.e2ee !== undefined) {
    const keys = new L.ExternalE2EEKeyProvider();
    await keys.setKey(o.e2ee);
    options.e2ee = { keyProvider: keys, worker: new Worker("/e2ee.js") };
  }
  const room = new L.Room(options);
  window.room = room;
  window.events = [];
  const note = (...event) => window.events.push(event);
  room.on("trackSubscribed", (track, pub, p) => {
    note("subscribed", p.identity, pub.source);
    document.body.append(track.attach());
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
  if (o.e2ee !== undefined) await room.setE2EEEnabled(true);
  const began = performance.now();
  await room.connect(url, token, o.connect);
  window.connectedIn = performance.now() - began;
  const publish = o.publish ?? "both";
  if (publish === "both") await room.localParticipant.enableCameraAndMicrophone();
  if (publish === "audio") await room.localParticipant.setMicrophoneEnabled(true);
  if (publish === "video") await room.localParticipant.setCameraEnabled(true);
};
