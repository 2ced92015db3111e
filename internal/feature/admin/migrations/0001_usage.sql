-- Stored messages of an app per day (UTC, days since 1970-01-01). A row for
-- each shard, so that the followers of two shards never write the same row and
-- one of them can be built again without the others.
CREATE TABLE usage_day (
  app      {{text}}   NOT NULL,
  day      {{bigint}} NOT NULL,
  shard    {{bigint}} NOT NULL,
  messages {{bigint}} NOT NULL,
  PRIMARY KEY (app, day, shard)
) {{strict_without_rowid}};
CREATE INDEX usage_day_shard ON usage_day (shard);
