-- Who has a value that says that requests to a group wait. When none does any
-- more, or its user may no longer answer, the value says so and the row goes.
CREATE TABLE join_told (
  app  {{text}} NOT NULL,
  conv {{text}} NOT NULL,
  usr  {{text}} NOT NULL,
  PRIMARY KEY (app, conv, usr)
) {{strict_without_rowid}};
