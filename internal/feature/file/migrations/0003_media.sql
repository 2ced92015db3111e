-- expand: pictures, sounds and films, and the smaller pictures of pictures
-- What bytes are as a picture, a sound or a film; a row for those that may be
-- shown, and for no others.
CREATE TABLE file_media (
  app       {{text}}   NOT NULL,
  sum       {{blob}}   NOT NULL, -- as in file_bytes
  mime      {{text}}   NOT NULL,
  width     {{bigint}} NOT NULL, -- in pixels; 0 = of sound
  height    {{bigint}} NOT NULL,
  duration  {{bigint}} NOT NULL, -- in ms; 0 = unknown, or of a picture
  thumb     {{text}}   NOT NULL, -- a blur hash, or empty
  animated  {{bigint}} NOT NULL, -- 1 = a picture that moves
  waveform  {{blob}}   NOT NULL, -- 64 bytes, or none
  PRIMARY KEY (app, sum)
) {{strict_without_rowid}};

CREATE TABLE file_preview (
  app     {{text}}   NOT NULL,
  sum     {{blob}}   NOT NULL,
  size    {{text}}   NOT NULL, -- s, m or l
  key     {{text}}   NOT NULL, -- in the store
  mime    {{text}}   NOT NULL,
  width   {{bigint}} NOT NULL,
  height  {{bigint}} NOT NULL,
  bytes   {{bigint}} NOT NULL,
  PRIMARY KEY (app, sum, size)
) {{strict_without_rowid}};
