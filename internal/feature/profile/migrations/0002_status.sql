-- expand: what users say of themselves beside being online.
CREATE TABLE user_status (
  app      {{text}}   NOT NULL,
  user_id  {{text}}   NOT NULL,
  text     {{text}}   NOT NULL,
  emoji    {{text}}   NOT NULL,
  until_us {{bigint}} NOT NULL,
  PRIMARY KEY (app, user_id)
) {{strict_without_rowid}};
