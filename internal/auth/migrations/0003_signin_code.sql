-- expand: codes by which a signed-in device lets another one in. Only hashes
-- of the code and of the ticket are kept.
CREATE TABLE signin_code (
  code     {{blob}}   NOT NULL PRIMARY KEY,
  ticket   {{blob}}   NOT NULL,
  app      {{text}}   NOT NULL,
  device   {{text}}   NOT NULL,
  name     {{text}}   NOT NULL,
  platform {{bigint}} NOT NULL,
  address  {{text}}   NOT NULL,
  created  {{bigint}} NOT NULL,
  expires  {{bigint}} NOT NULL,
  -- 1 waiting, 2 approved, 3 denied, 4 given out
  state    {{bigint}} NOT NULL,
  user_id  {{text}}   NOT NULL
) {{strict_without_rowid}};
CREATE UNIQUE INDEX signin_code_ticket ON signin_code (ticket);
CREATE INDEX signin_code_expires ON signin_code (expires);
