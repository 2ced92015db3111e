-- expand: what the operator allows an app, an encoded skein.v1.AppQuotas; NULL
-- = nothing was decided.
ALTER TABLE app ADD COLUMN quotas {{blob}};

-- How many users an app has: rows of app_user, counted in the transactions that
-- add them, so that a bound can be kept without counting them all. An older
-- program that runs beside adds users and counts none; Auth.SetQuotas counts
-- anew.
CREATE TABLE app_count (
  app   {{text}}   NOT NULL PRIMARY KEY,
  users {{bigint}} NOT NULL
) {{strict_without_rowid}};
INSERT INTO app_count (app, users)
  SELECT a.id, (SELECT count(*) FROM app_user u WHERE u.app = a.id) FROM app a;
