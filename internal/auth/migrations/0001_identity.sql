-- Apps, their secrets, users, devices, and the fence log. Times are
-- microseconds since 1970; 0 in a column of a moment means that it never came.

CREATE TABLE app (
  id           {{text}} NOT NULL PRIMARY KEY,
  name         {{text}} NOT NULL,
  login_policy {{bigint}} NOT NULL,
  created      {{bigint}} NOT NULL,
  suspended    {{bigint}} NOT NULL
){{strict}};

-- Web origins that may speak for an app, exact: scheme://host[:port].
CREATE TABLE app_origin (
  app    {{text}} NOT NULL,
  origin {{text}} NOT NULL,
  PRIMARY KEY (app, origin)
){{strict_without_rowid}};
CREATE INDEX app_origin_by_origin ON app_origin (origin);

-- A kid belongs to one app for ever. sealed is the secret under the master key
-- that key_id names.
CREATE TABLE app_secret (
  kid     {{text}} NOT NULL PRIMARY KEY,
  app     {{text}} NOT NULL,
  alg     {{text}} NOT NULL,
  key_id  {{text}} NOT NULL,
  sealed  {{blob}} NOT NULL,
  created {{bigint}} NOT NULL,
  retired {{bigint}} NOT NULL
){{strict}};
CREATE INDEX app_secret_by_app ON app_secret (app, created);

-- tokens_valid_from: tokens issued at or before it are refused. seen_iat is the
-- latest issue time that lay in the future when its token was shown, because
-- the back end's clock was ahead: a cut has to lie after it.
CREATE TABLE app_user (
  app               {{text}} NOT NULL,
  id                {{text}} NOT NULL,
  created           {{bigint}} NOT NULL,
  tokens_valid_from {{bigint}} NOT NULL,
  seen_iat          {{bigint}} NOT NULL,
  PRIMARY KEY (app, id)
){{strict_without_rowid}};

-- A device that was signed out (revoked > 0) keeps its row while tokens from
-- before may still live. Tokens issued up to token_valid_from are refused for
-- it; those issued up to shown_cut that it has shown are refused everywhere.
-- fence is the fence that signed it out last.
CREATE TABLE device (
  app              {{text}} NOT NULL,
  user_id          {{text}} NOT NULL,
  id               {{text}} NOT NULL,
  platform         {{bigint}} NOT NULL,
  name             {{text}} NOT NULL,
  created          {{bigint}} NOT NULL,
  last_seen        {{bigint}} NOT NULL,
  revoked          {{bigint}} NOT NULL,
  token_valid_from {{bigint}} NOT NULL,
  shown_cut        {{bigint}} NOT NULL,
  fence            {{bigint}} NOT NULL,
  cursor_ack       {{blob}},
  PRIMARY KEY (app, user_id, id)
){{strict}};

-- Which devices have shown which token (by hash), until the token expires.
CREATE TABLE device_token (
  app     {{text}} NOT NULL,
  user_id {{text}} NOT NULL,
  hash    {{blob}} NOT NULL,
  device  {{text}} NOT NULL,
  expires {{bigint}} NOT NULL,
  PRIMARY KEY (app, user_id, hash, device)
){{strict_without_rowid}};

-- The fence log. Its ids are given out under the one row of fence_head, so
-- that they have no gap and are in commit order.
CREATE TABLE fence_head (
  id   {{bigint}} NOT NULL PRIMARY KEY,
  head {{bigint}} NOT NULL
){{strict}};
INSERT INTO fence_head (id, head) VALUES (1, 0);

CREATE TABLE fence (
  id      {{bigint}} NOT NULL PRIMARY KEY,
  kind    {{bigint}} NOT NULL,
  app     {{text}} NOT NULL,
  user_id {{text}} NOT NULL,
  device  {{text}} NOT NULL,
  kid     {{text}} NOT NULL,
  time    {{bigint}} NOT NULL
){{strict}};

-- A node that serves: how far it has applied the fence log, and until when (by
-- this database's clock) it serves without looking again. epoch tells one run
-- of a node from the next.
CREATE TABLE node_lease (
  node        {{text}} NOT NULL PRIMARY KEY,
  epoch       {{text}} NOT NULL,
  applied     {{bigint}} NOT NULL,
  lease_until {{bigint}} NOT NULL
){{strict}};
