-- expand: when a device acknowledged its cursor, by the database's clock; NULL =
-- not known. No older program names it.
ALTER TABLE device ADD COLUMN cursor_at {{bigint}};
