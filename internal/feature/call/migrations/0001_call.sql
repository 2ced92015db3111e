-- Calls. state: 1 ringing, 2 active, 3 ended (skein.v1.CallState). Rows stay: they are the users' records.
CREATE TABLE call (
  app      {{text}}   NOT NULL,
  id       {{text}}   NOT NULL, -- the client id of the call that made it, in hex: it sorts by time
  starter  {{text}}   NOT NULL, -- empty when they were erased
  conv     {{text}}   NOT NULL,
  hash     {{blob}}   NOT NULL, -- of the request that made it
  room     {{text}}   NOT NULL, -- at the media server
  video    {{bigint}} NOT NULL,
  quiet    {{bigint}} NOT NULL, -- nobody was rung
  role     {{bigint}} NOT NULL, -- of who joins uninvited
  state    {{bigint}} NOT NULL,
  ending   {{bigint}} NOT NULL, -- why it is over (skein.v1.CallEnd)
  created  {{bigint}} NOT NULL,
  answered {{bigint}} NOT NULL, -- 0 = nobody has
  ended    {{bigint}} NOT NULL,
  version  {{bigint}} NOT NULL,
  told     {{bigint}} NOT NULL, -- the version that the group was told
  closed   {{bigint}} NOT NULL, -- its room was deleted
  due      {{bigint}} NOT NULL, -- what has to be said in the conversation: 1 its start, 2 its end
  note_1   {{blob}}   NOT NULL, -- the client ids of these notices
  note_2   {{blob}}   NOT NULL,
  PRIMARY KEY (app, id)
) {{strict_without_rowid}};
-- A conversation has one call at a time.
CREATE UNIQUE INDEX call_live ON call (app, conv) WHERE state < 3;
CREATE UNIQUE INDEX call_room ON call (room);
CREATE INDEX call_undone ON call (app, id) WHERE state < 3 OR closed = 0 OR due > 0;
-- Who has to do with a call. state: skein.v1.CallPartyState.
CREATE TABLE call_party (
  app     {{text}}   NOT NULL,
  usr     {{text}}   NOT NULL,
  call_id {{text}}   NOT NULL,
  role    {{bigint}} NOT NULL,
  state   {{bigint}} NOT NULL,
  device  {{text}}   NOT NULL, -- that joined or declined
  inviter {{text}}   NOT NULL,
  ring    {{bigint}} NOT NULL, -- until when it rings
  joined  {{bigint}} NOT NULL,
  gone    {{bigint}} NOT NULL, -- when they left
  seen    {{bigint}} NOT NULL, -- when they were in the room last, or joined
  evict   {{text}}   NOT NULL, -- a participant that has to be taken out of the room
  changed {{bigint}} NOT NULL,
  version {{bigint}} NOT NULL, -- of what their devices are to know
  told    {{bigint}} NOT NULL,
  PRIMARY KEY (app, usr, call_id)
) {{strict_without_rowid}};
CREATE INDEX call_party_call ON call_party (app, call_id, usr);
-- A user is in one call at a time.
CREATE UNIQUE INDEX call_party_in ON call_party (app, usr) WHERE state = 2;
