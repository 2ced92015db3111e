-- expand: who follows whom, and how many, so that nobody counts.
CREATE TABLE user_follow (
  app      {{text}}   NOT NULL,
  user_id  {{text}}   NOT NULL,
  followed {{text}}   NOT NULL,
  since_us {{bigint}} NOT NULL,
  PRIMARY KEY (app, user_id, followed)
) {{strict_without_rowid}};
CREATE INDEX user_follow_followed ON user_follow (app, followed, user_id);

CREATE TABLE user_follow_count (
  app       {{text}}   NOT NULL,
  user_id   {{text}}   NOT NULL,
  followers {{bigint}} NOT NULL,
  following {{bigint}} NOT NULL,
  PRIMARY KEY (app, user_id)
) {{strict_without_rowid}};
