-- What an app has decided for its users: an encoded skein.v1.AppSettings;
-- NULL = nothing yet.
ALTER TABLE app ADD COLUMN settings {{blob}};
