-- What few entries have, packed into one column: readers, expiry (row.go).
ALTER TABLE entry ADD COLUMN extra {{blob}};

-- Attributes mean something to whoever appends; bits also guard appends.
ALTER TABLE conversation ADD COLUMN attrs {{blob}};
ALTER TABLE conversation ADD COLUMN bits {{bigint}} NOT NULL DEFAULT 0;
ALTER TABLE membership ADD COLUMN attrs {{blob}};

-- When the member's last message was stored.
ALTER TABLE membership ADD COLUMN sent {{bigint}} NOT NULL DEFAULT 0;
