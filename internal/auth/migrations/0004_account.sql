-- expand: they have defaults, and no older program names them. suspended is
-- since when the user is refused, 0 = is not; bot is 1 for a program.
ALTER TABLE app_user ADD COLUMN suspended {{bigint}} NOT NULL DEFAULT 0;
ALTER TABLE app_user ADD COLUMN bot {{bigint}} NOT NULL DEFAULT 0;
