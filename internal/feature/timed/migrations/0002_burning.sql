-- Messages that burn after reading and have not been read by whom they are
-- for. What has been read is a job.
CREATE TABLE burning (
  app    {{text}}   NOT NULL,
  conv   {{text}}   NOT NULL,
  seq    {{bigint}} NOT NULL,
  reader {{text}}   NOT NULL,
  burn   {{bigint}} NOT NULL, -- seconds
  PRIMARY KEY (app, conv, seq)
) {{strict_without_rowid}};
