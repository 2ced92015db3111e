CREATE TABLE job (
  id          {{text}}   NOT NULL PRIMARY KEY,
  kind        {{text}}   NOT NULL,
  app         {{text}}   NOT NULL, -- '' = the server's own
  target      {{text}}   NOT NULL,
  lane        {{text}}   NOT NULL, -- app/target: one column, so that an index can jump from lane to lane
  key         {{text}},            -- NULL = none
  body        {{blob}}   NOT NULL,
  state       {{bigint}} NOT NULL, -- 0 waiting, 1 running, 2 done, 3 dead
  run_at      {{bigint}} NOT NULL, -- waiting: not before
  tries       {{bigint}} NOT NULL, -- begun
  owner       {{text}}   NOT NULL, -- running: which run of a node
  lease_until {{bigint}} NOT NULL, -- running: afterwards it counts as failed
  created     {{bigint}} NOT NULL,
  finished    {{bigint}} NOT NULL, -- done, dead: since when
  error       {{text}}   NOT NULL  -- of the last failure
) {{strict}};
CREATE UNIQUE INDEX job_key ON job (kind, app, key) WHERE key IS NOT NULL;
CREATE INDEX job_lane ON job (kind, lane, run_at, id) WHERE state = 0;
CREATE INDEX job_due ON job (kind, run_at) WHERE state = 0;
CREATE INDEX job_running ON job (lease_until, kind, lane) WHERE state = 1;
CREATE INDEX job_done ON job (kind, finished) WHERE state = 2;
CREATE INDEX job_dead ON job (kind, finished) WHERE state = 3;
