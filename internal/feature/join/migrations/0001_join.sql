-- Invitations. hash is SHA-256 of the app and the code; the code itself is
-- nowhere. uses counts who has come in by it (or has filed a request, where it
-- asks for approval); join_use has those whose coming in is not counted yet.
-- Times are microseconds since 1970; 0 = never.
CREATE TABLE join_invite (
  app       {{text}}   NOT NULL,
  id        {{text}}   NOT NULL,
  hash      {{blob}}   NOT NULL,
  conv      {{text}}   NOT NULL,
  creator   {{text}}   NOT NULL,
  client_id {{blob}}   NOT NULL,
  label     {{text}}   NOT NULL,
  created   {{bigint}} NOT NULL,
  expires   {{bigint}} NOT NULL,
  max_uses  {{bigint}} NOT NULL,
  uses      {{bigint}} NOT NULL,
  approval  {{bigint}} NOT NULL,
  ended     {{bigint}} NOT NULL,
  PRIMARY KEY (app, id)
) {{strict_without_rowid}};
CREATE UNIQUE INDEX join_invite_by_hash ON join_invite (hash);
CREATE UNIQUE INDEX join_invite_by_client ON join_invite (app, creator, client_id);
CREATE INDEX join_invite_by_conv ON join_invite (app, conv, created, id);
CREATE INDEX join_invite_ended ON join_invite (ended, expires);

-- Who has set out to come in by an invitation, with the client id of the entry
-- that lets them in: whether they are in is what the journal says. counted: it
-- is in join_invite.uses.
CREATE TABLE join_use (
  app       {{text}}   NOT NULL,
  invite    {{text}}   NOT NULL,
  usr       {{text}}   NOT NULL,
  client_id {{blob}}   NOT NULL,
  at        {{bigint}} NOT NULL,
  counted   {{bigint}} NOT NULL,
  PRIMARY KEY (app, invite, usr, client_id)
) {{strict_without_rowid}};

-- Requests to join, one a user and group. state: 0 open, 1 declined. claim is
-- the client id of an answer under way, claimed when it began.
CREATE TABLE join_request (
  app     {{text}}   NOT NULL,
  conv    {{text}}   NOT NULL,
  usr     {{text}}   NOT NULL,
  message {{text}}   NOT NULL,
  inviter {{text}}   NOT NULL,
  state   {{bigint}} NOT NULL,
  created {{bigint}} NOT NULL,
  expires {{bigint}} NOT NULL,
  claim   {{blob}}   NOT NULL,
  claimed {{bigint}} NOT NULL,
  PRIMARY KEY (app, conv, usr)
) {{strict_without_rowid}};
CREATE INDEX join_request_by_conv ON join_request (app, conv, state, created, usr);
CREATE INDEX join_request_by_user ON join_request (app, usr, created);
CREATE INDEX join_request_expires ON join_request (expires);

-- Who is kept out of a group. done = 0: the entry that takes them out, or that
-- has joins under way decided again, is not known to be written.
CREATE TABLE join_ban (
  app     {{text}}   NOT NULL,
  conv    {{text}}   NOT NULL,
  usr     {{text}}   NOT NULL,
  by_usr  {{text}}   NOT NULL,
  reason  {{text}}   NOT NULL,
  created {{bigint}} NOT NULL,
  done    {{bigint}} NOT NULL,
  PRIMARY KEY (app, conv, usr)
) {{strict_without_rowid}};
CREATE INDEX join_ban_open ON join_ban (done, created);

-- Who may join by themselves where the list is in force (join_gate.enforced).
CREATE TABLE join_allowed (
  app  {{text}} NOT NULL,
  conv {{text}} NOT NULL,
  usr  {{text}} NOT NULL,
  PRIMARY KEY (app, conv, usr)
) {{strict_without_rowid}};

CREATE TABLE join_gate (
  app      {{text}}   NOT NULL,
  conv     {{text}}   NOT NULL,
  enforced {{bigint}} NOT NULL,
  PRIMARY KEY (app, conv)
) {{strict_without_rowid}};
