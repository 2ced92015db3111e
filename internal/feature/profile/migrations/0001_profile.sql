-- What users show of themselves. data and privacy are encoded messages
-- (skein.v1.Profile, skein.v1.Privacy); the other columns are made from them
-- for the directory.
CREATE TABLE profile (
  app       {{text}}   NOT NULL,
  user_id   {{text}}   NOT NULL,
  data      {{blob}}   NOT NULL,
  privacy   {{blob}}   NOT NULL,
  -- The name, folded, when the directory may find it; else ''.
  found_as  {{text}}   NOT NULL,
  updated   {{bigint}} NOT NULL,
  PRIMARY KEY (app, user_id)
) {{strict_without_rowid}};
CREATE INDEX profile_found_as ON profile (app, found_as, user_id) WHERE found_as <> '';

-- The custom fields that the directory may find, of users who may be found.
CREATE TABLE profile_field (
  app     {{text}} NOT NULL,
  name    {{text}} NOT NULL,
  value   {{text}} NOT NULL,
  user_id {{text}} NOT NULL,
  PRIMARY KEY (app, name, value, user_id)
) {{strict_without_rowid}};
CREATE INDEX profile_field_user ON profile_field (app, user_id);
