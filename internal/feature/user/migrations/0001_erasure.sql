-- Users who are, or were, erased, and how far. state: 1 running, 2 done
-- (skein.v1.ErasureState). Conversations up to conv, in the order of their
-- bytes, are through; of the next one, the entries up to seq.
CREATE TABLE user_erasure (
  app           {{text}}   NOT NULL,
  user_id       {{text}}   NOT NULL,
  state         {{bigint}} NOT NULL,
  conv          {{text}}   NOT NULL,
  seq           {{bigint}} NOT NULL,
  conversations {{bigint}} NOT NULL,
  messages      {{bigint}} NOT NULL,
  started       {{bigint}} NOT NULL,
  finished      {{bigint}} NOT NULL,
  PRIMARY KEY (app, user_id)
) {{strict_without_rowid}};
