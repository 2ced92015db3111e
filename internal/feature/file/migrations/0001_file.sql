-- Uploads on their way. at is how many bytes are durable, hash the state of
-- SHA-256 after them. holder is who writes at the moment, until held; wanted
-- says that somebody else would like to.
CREATE TABLE file_upload (
  app      {{text}}   NOT NULL,
  id       {{text}}   NOT NULL, -- also the file's, once it is whole
  owner    {{text}}   NOT NULL, -- empty = the app's back end
  size     {{bigint}} NOT NULL,
  at       {{bigint}} NOT NULL,
  hash     {{blob}}   NOT NULL,
  sum      {{blob}}   NOT NULL, -- what the client says the SHA-256 is, or empty
  name     {{text}}   NOT NULL,
  mime     {{text}}   NOT NULL, -- as the client says
  header   {{text}}   NOT NULL, -- as it came
  place    {{text}}   NOT NULL, -- the store's id of the upload; empty = not known
  done     {{bigint}} NOT NULL, -- 1 = the file is there
  expires  {{bigint}} NOT NULL,
  holder   {{text}}   NOT NULL,
  held     {{bigint}} NOT NULL,
  wanted   {{bigint}} NOT NULL,
  PRIMARY KEY (app, id)
) {{strict_without_rowid}};
CREATE INDEX file_upload_expires ON file_upload (expires);
CREATE INDEX file_upload_owner ON file_upload (app, owner) WHERE done = 0;

-- The bytes, once for each app; uses is how many files have them.
CREATE TABLE file_bytes (
  app   {{text}}   NOT NULL,
  sum   {{blob}}   NOT NULL, -- SHA-256
  size  {{bigint}} NOT NULL,
  key   {{text}}   NOT NULL, -- in the store
  uses  {{bigint}} NOT NULL,
  PRIMARY KEY (app, sum)
) {{strict_without_rowid}};
CREATE INDEX file_bytes_unused ON file_bytes (app) WHERE uses = 0;

-- Files. touched is when one was made, or last sent or taken back.
CREATE TABLE file (
  app      {{text}}   NOT NULL,
  id       {{text}}   NOT NULL,
  owner    {{text}}   NOT NULL,
  sum      {{blob}}   NOT NULL,
  size     {{bigint}} NOT NULL,
  name     {{text}}   NOT NULL,
  mime     {{text}}   NOT NULL,
  shown    {{bigint}} NOT NULL, -- 1 = its bytes are of a kind that may be shown in a page
  created  {{bigint}} NOT NULL,
  touched  {{bigint}} NOT NULL,
  refs     {{bigint}} NOT NULL, -- messages that it is in
  PRIMARY KEY (app, id)
) {{strict_without_rowid}};
CREATE INDEX file_sum ON file (app, sum);
CREATE INDEX file_unused ON file (touched) WHERE refs = 0;

-- Which messages a file is in. message is the seq of the message, also for a
-- file that an edit brought. It is made from the journal, and kept like a fact:
-- to read the journal again changes nothing.
CREATE TABLE file_ref (
  app      {{text}}   NOT NULL,
  conv     {{text}}   NOT NULL,
  message  {{bigint}} NOT NULL,
  file     {{text}}   NOT NULL,
  PRIMARY KEY (app, conv, message, file)
) {{strict_without_rowid}};
CREATE INDEX file_ref_file ON file_ref (app, file);

-- Objects of the store that nobody needs any more and that are deleted next.
CREATE TABLE file_trash (
  key    {{text}}   NOT NULL PRIMARY KEY,
  place  {{text}}   NOT NULL, -- of an upload; empty = an object, or every upload of the key
  since  {{bigint}} NOT NULL
) {{strict_without_rowid}};
