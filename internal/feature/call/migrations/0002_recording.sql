-- expand: columns with defaults, and tables that no older program names.
--
-- The recording of a call that goes on, who has started it and when; empty and
-- 0 = it is not recorded.
ALTER TABLE call ADD COLUMN recording {{text}} NOT NULL DEFAULT '';
ALTER TABLE call ADD COLUMN recorder {{text}} NOT NULL DEFAULT '';
ALTER TABLE call ADD COLUMN recorded {{bigint}} NOT NULL DEFAULT 0;

-- Recordings. state: skein.v1.RecordingState.
CREATE TABLE call_recording (
  app      {{text}}   NOT NULL,
  id       {{text}}   NOT NULL, -- sorts by time
  call_id  {{text}}   NOT NULL,
  conv     {{text}}   NOT NULL,
  recorder {{text}}   NOT NULL, -- empty when they were erased
  started  {{bigint}} NOT NULL,
  ended    {{bigint}} NOT NULL, -- 0 = it goes on
  state    {{bigint}} NOT NULL,
  problem  {{text}}   NOT NULL, -- in words
  due      {{bigint}} NOT NULL, -- what has to be said in the conversation: 1 its start, 2 its end
  note_1   {{blob}}   NOT NULL, -- the client ids of these notices
  note_2   {{blob}}   NOT NULL,
  PRIMARY KEY (app, id)
) {{strict_without_rowid}};
CREATE INDEX call_recording_call ON call_recording (app, call_id, id);
CREATE INDEX call_recording_conv ON call_recording (app, conv, id);
CREATE INDEX call_recording_undone ON call_recording (app, id) WHERE state < 3 OR due > 0;

-- The files of recordings. state: 1 it is being recorded, 2 its file is stored,
-- 3 it is in a message, 4 there is none.
CREATE TABLE call_track (
  app       {{text}}   NOT NULL,
  egress    {{text}}   NOT NULL, -- the recording's id at the media server
  recording {{text}}   NOT NULL,
  usr       {{text}}   NOT NULL,
  source    {{bigint}} NOT NULL, -- skein.v1.RecordedSource
  state     {{bigint}} NOT NULL,
  started   {{bigint}} NOT NULL,
  duration  {{bigint}} NOT NULL, -- ms
  file      {{text}}   NOT NULL,
  name      {{text}}   NOT NULL,
  mime      {{text}}   NOT NULL,
  size      {{bigint}} NOT NULL,
  width     {{bigint}} NOT NULL,
  height    {{bigint}} NOT NULL,
  about     {{blob}}   NOT NULL, -- the attachment of the message
  batch     {{blob}}   NOT NULL, -- the client id of that message
  seq       {{bigint}} NOT NULL, -- its place
  PRIMARY KEY (app, egress)
) {{strict_without_rowid}};
CREATE INDEX call_track_recording ON call_track (app, recording, egress);
