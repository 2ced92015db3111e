-- How far a follower is in a shard, and which run of a node moves it on. Each
-- change of hands raises the epoch, and a cursor moves only under its epoch.
CREATE TABLE follower (
  name        {{text}}   NOT NULL,
  shard       {{bigint}} NOT NULL,
  incarnation {{text}}   NOT NULL, -- of the journal that pos counts in
  pos         {{bigint}} NOT NULL, -- applied up to here
  epoch       {{bigint}} NOT NULL,
  owner       {{text}}   NOT NULL, -- see follower_owner; '' = nobody
  PRIMARY KEY (name, shard)
) {{strict_without_rowid}};

-- The lease of a run of a node on all that it owns. One row a run, so that a
-- renewal is one small write and never in the way of a cursor.
CREATE TABLE follower_owner (
  owner       {{text}}   NOT NULL PRIMARY KEY,
  lease_until {{bigint}} NOT NULL -- microseconds, by the database's clock
) {{strict_without_rowid}};

-- An entry that a follower could not apply and went past.
CREATE TABLE parked_entry (
  name      {{text}}   NOT NULL,
  shard     {{bigint}} NOT NULL,
  pos       {{bigint}} NOT NULL,
  app       {{text}}   NOT NULL, -- '' with conv and seq 0: the row could not be read
  conv      {{text}}   NOT NULL,
  seq       {{bigint}} NOT NULL,
  tries     {{bigint}} NOT NULL,
  error     {{text}}   NOT NULL,
  parked_at {{bigint}} NOT NULL,
  PRIMARY KEY (name, shard, pos)
) {{strict_without_rowid}};
