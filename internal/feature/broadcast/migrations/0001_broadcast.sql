-- Messages that go to many users, one conversation of two after the other.
-- state: 1 running, 2 done, 3 cancelled (skein.v1.BroadcastState). after is
-- the last user who was served; step counts the pieces.
CREATE TABLE broadcast (
  app      {{text}}   NOT NULL,
  id       {{text}}   NOT NULL, -- the client id of the call that made it, in hex
  hash     {{blob}}   NOT NULL, -- of that call
  sender   {{text}}   NOT NULL,
  users    {{text}}   NOT NULL, -- one a line, in order; empty = all of the app
  body     {{blob}}   NOT NULL,
  state    {{bigint}} NOT NULL,
  after    {{text}}   NOT NULL,
  step     {{bigint}} NOT NULL,
  sent     {{bigint}} NOT NULL,
  refused  {{bigint}} NOT NULL,
  created  {{bigint}} NOT NULL,
  finished {{bigint}} NOT NULL, -- 0 while it runs
  PRIMARY KEY (app, id)
) {{strict_without_rowid}};
CREATE INDEX broadcast_over ON broadcast (finished) WHERE finished > 0;
