-- expand: tables that no older program names, and a column with a default. What
-- one that runs beside stores is not counted; skein app quota counts anew.
--
-- How many bytes of files an app has, open uploads by the size that they will
-- have. Changed with them, so that the last place goes to one.
CREATE TABLE file_app (
  app    {{text}}   NOT NULL PRIMARY KEY,
  bytes  {{bigint}} NOT NULL
) {{strict_without_rowid}};

-- The same of each user, and what they have brought on a day (UTC, days since
-- 1970-01-01). What the back end has brought is the app's alone.
CREATE TABLE file_user (
  app    {{text}}   NOT NULL,
  owner  {{text}}   NOT NULL,
  bytes  {{bigint}} NOT NULL,
  day    {{bigint}} NOT NULL,
  today  {{bigint}} NOT NULL,
  PRIMARY KEY (app, owner)
) {{strict_without_rowid}};

-- When an upload was counted for the day.
ALTER TABLE file_upload ADD COLUMN day {{bigint}} NOT NULL DEFAULT 0;

INSERT INTO file_app (app, bytes) SELECT o.app, CAST(sum(o.size) AS BIGINT)
  FROM (SELECT app, size FROM file UNION ALL SELECT app, size FROM file_upload WHERE done = 0) o GROUP BY o.app;
INSERT INTO file_user (app, owner, bytes, day, today) SELECT o.app, o.owner, CAST(sum(o.size) AS BIGINT), 0, 0
  FROM (SELECT app, owner, size FROM file UNION ALL SELECT app, owner, size FROM file_upload WHERE done = 0) o WHERE o.owner <> '' GROUP BY o.app, o.owner;
