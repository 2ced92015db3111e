-- What the nodes have taken of an app's messages of a day (UTC, days since
-- 1970-01-01): each takes some at a time, and gives back what it has not used
-- when it ends. The days of the last week are kept.
CREATE TABLE quota_day (
  app   {{text}}   NOT NULL,
  day   {{bigint}} NOT NULL,
  taken {{bigint}} NOT NULL,
  PRIMARY KEY (app, day)
) {{strict_without_rowid}};

-- The groups of each app that were not dissolved, made from the journal by a
-- follower. shard -1: taken for a group that is about to be made, at the moment
-- since; the follower gives it its shard. group_count has one row an app,
-- changed with them, so that the last place goes to one.
CREATE TABLE group_place (
  app   {{text}}   NOT NULL,
  conv  {{text}}   NOT NULL,
  shard {{bigint}} NOT NULL,
  since {{bigint}} NOT NULL,
  PRIMARY KEY (app, conv)
) {{strict_without_rowid}};
CREATE INDEX group_place_shard ON group_place (shard, since);
CREATE TABLE group_count (
  app    {{text}}   NOT NULL PRIMARY KEY,
  places {{bigint}} NOT NULL
) {{strict_without_rowid}};
