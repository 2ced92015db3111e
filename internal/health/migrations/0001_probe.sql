-- One row a node: written about once a second by a node that has nothing else
-- to write, so that it knows whether it could.
CREATE TABLE health_probe (
	node {{text}} PRIMARY KEY,
	at {{bigint}} NOT NULL,
	filler {{blob}} NOT NULL
) {{strict}};
