-- Who is muted in the group only hears in its calls.
ALTER TABLE call_party ADD COLUMN hushed {{bigint}} NOT NULL DEFAULT 0; -- until when the group has muted them; 0 = it has not
ALTER TABLE call_party ADD COLUMN allowed {{bigint}} NOT NULL DEFAULT 0; -- the role that the media server knows them by; 0 = unknown
