-- What the journal is, once: incarnation, number of shards, and up to which
-- time idempotency rows were removed.
CREATE TABLE journal_meta (
  name  {{text}} NOT NULL PRIMARY KEY,
  value {{text}} NOT NULL
) {{strict_without_rowid}};

-- One row a shard. head is its newest pos; commits counts every commit of a
-- writer, also those without an entry, so that a writer's cache is valid
-- exactly while both are what it wrote last.
CREATE TABLE shard (
  shard   {{bigint}} NOT NULL PRIMARY KEY,
  head    {{bigint}} NOT NULL,
  commits {{bigint}} NOT NULL
) {{strict}};

-- What changes seldom. The head of a conversation is its newest entry, found
-- by entry_seq, so that an append changes no row here. changed_pos is raised
-- by read markers.
CREATE TABLE conversation (
  conv_no     {{serial}},
  app         {{text}} NOT NULL,
  conv        {{text}} NOT NULL,
  kind        {{bigint}} NOT NULL,
  title       {{text}} NOT NULL,
  shard       {{bigint}} NOT NULL,
  acl_version {{bigint}} NOT NULL,
  changed_pos {{bigint}} NOT NULL,
  members     {{bigint}} NOT NULL,
  created     {{bigint}} NOT NULL,
  UNIQUE (app, conv)
) {{strict}};

-- One row an entry. On SQLite pos is the rowid, so that commit order costs no
-- index of its own. slot is the key of a keyed entry while it is the newest
-- of its key. flags: 1 handshake, 2 recalled. hash covers everything but slot.
CREATE TABLE entry (
{{if sqlite}}  pos       INTEGER PRIMARY KEY,
  shard     INTEGER NOT NULL DEFAULT 0,
{{else}}  shard     BIGINT NOT NULL,
  pos       BIGINT NOT NULL,
{{end}}  conv_no   {{bigint}} NOT NULL,
  seq       {{bigint}} NOT NULL,
  ord       {{bigint}} NOT NULL,
  kind      {{bigint}} NOT NULL DEFAULT 1,
  sender    {{text}} NOT NULL,
  device    {{text}} NOT NULL,
  time      {{bigint}} NOT NULL,
  client_id {{blob}} NOT NULL,
  version   {{bigint}} NOT NULL DEFAULT 1,
  target    {{bigint}} NOT NULL DEFAULT 0,
  key       {{text}} NOT NULL DEFAULT '',
  slot      {{text}} NOT NULL DEFAULT '',
  flags     {{bigint}} NOT NULL DEFAULT 0,
  devices   {{blob}},
  body      {{blob}},
  previous  {{blob}},
  hash      {{bigint}} NOT NULL{{if not sqlite}},
  PRIMARY KEY (shard, pos){{end}}
) {{strict}};
CREATE UNIQUE INDEX entry_seq ON entry (conv_no, seq);
CREATE INDEX entry_target ON entry (conv_no, target) WHERE target > 0;
CREATE UNIQUE INDEX entry_slot ON entry (conv_no, slot) WHERE slot <> '';

-- Who sent what already: hash is that of the request. Client ids begin with
-- their time, so rows are added at the end and removed at the beginning.
CREATE TABLE idempotency (
  client_id {{blob}} NOT NULL,
  app       {{text}} NOT NULL,
  sender    {{text}} NOT NULL,
  hash      {{bigint}} NOT NULL,
  conv_no   {{bigint}} NOT NULL,
  seq       {{bigint}} NOT NULL,
  PRIMARY KEY (client_id, app, sender)
) {{strict_without_rowid}};

-- Intervals of membership, never deleted. joined is the seq of the entry that
-- began one; it reads [from_seq, to_seq), to_seq = 0 while it lasts. latest is
-- 1 for the newest interval of a user in a conversation.
CREATE TABLE membership (
  conv_no     {{bigint}} NOT NULL,
  usr         {{text}} NOT NULL,
  joined      {{bigint}} NOT NULL,
  app         {{text}} NOT NULL,
  role        {{bigint}} NOT NULL,
  from_seq    {{bigint}} NOT NULL,
  to_seq      {{bigint}} NOT NULL,
  read_seq    {{bigint}} NOT NULL,
  read_ord    {{bigint}} NOT NULL,
  changed_pos {{bigint}} NOT NULL,
  latest      {{bigint}} NOT NULL,
  PRIMARY KEY (conv_no, usr, joined)
) {{strict_without_rowid}};
CREATE INDEX membership_user ON membership (app, usr, latest, conv_no, to_seq);
-- The newest read markers of a conversation.
CREATE INDEX membership_mark ON membership (conv_no, changed_pos, usr) WHERE latest = 1 AND to_seq = 0;
{{if not sqlite}}
-- Room in the pages, so that a read marker is changed in place, without a new
-- entry in any index.
ALTER TABLE membership SET (fillfactor = 80);
ALTER TABLE shard SET (fillfactor = 50);
{{end}}
