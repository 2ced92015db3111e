-- Messages to be sent later. state: 1 waiting, 2 sending, 3 sent, 4 failed,
-- 5 cancelled (skein.v1.ScheduledState). Those that are over keep their row,
-- without the message, as long as a client may still repeat the call that made
-- them.
CREATE TABLE scheduled (
  app     {{text}}   NOT NULL,
  usr     {{text}}   NOT NULL,
  id      {{text}}   NOT NULL, -- the client id of the call that made it, in hex
  conv    {{text}}   NOT NULL,
  hash    {{blob}}   NOT NULL, -- of the call that made it
  message {{blob}}   NOT NULL, -- an encoded SendMessageRequest; empty when it is over
  send_at {{bigint}} NOT NULL,
  state   {{bigint}} NOT NULL,
  version {{bigint}} NOT NULL,
  send_id {{blob}},            -- the client id that it is sent with, from the first attempt on
  seq     {{bigint}} NOT NULL, -- sent: where
  code    {{bigint}} NOT NULL, -- failed: why
  error   {{text}}   NOT NULL,
  created {{bigint}} NOT NULL,
  updated {{bigint}} NOT NULL,
  PRIMARY KEY (app, usr, id)
) {{strict_without_rowid}};
CREATE INDEX scheduled_over ON scheduled (updated) WHERE state IN (3, 5);
