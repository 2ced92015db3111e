-- expand: columns with a default, and a table that no older program names. One
-- that runs beside finds the files of its own store alone.
--
-- Where the bytes of an app are, and with which key they are encrypted. New ones
-- go to the row that is current; where none is, to the server's own store as
-- they are. A row is never changed but for its credentials, and for the master
-- key that seals its key, so what lies there stays readable.
CREATE TABLE file_store (
  id       {{text}}   NOT NULL PRIMARY KEY, -- what the objects' rows say
  app      {{text}}   NOT NULL,
  url      {{text}}   NOT NULL, -- of a bucket, without credentials; empty = the server's own store
  login    {{blob}}   NOT NULL, -- credentials, sealed with the server's secret key; empty = none
  login_by {{text}}   NOT NULL, -- the id of the secret key
  data     {{blob}}   NOT NULL, -- the key of the bytes, sealed with a master key of blobs_key; empty = they are not encrypted
  data_by  {{text}}   NOT NULL, -- the id of the master key
  version  {{bigint}} NOT NULL, -- of the credentials
  current  {{bigint}} NOT NULL,
  created  {{bigint}} NOT NULL
) {{strict_without_rowid}};
CREATE UNIQUE INDEX file_store_current ON file_store (app) WHERE current = 1;
CREATE INDEX file_store_app ON file_store (app, url);

-- Empty = the server's own store, not encrypted.
ALTER TABLE file_upload ADD COLUMN store {{text}} NOT NULL DEFAULT '';
ALTER TABLE file_bytes ADD COLUMN store {{text}} NOT NULL DEFAULT '';
ALTER TABLE file_trash ADD COLUMN store {{text}} NOT NULL DEFAULT '';
