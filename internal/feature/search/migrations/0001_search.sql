-- expand: the index of messages. It can be built again from the journal.
--
-- doc is the place of a document's message: 48 bits of pos under those of its
-- shard. tokens of a document are its words and the marks that filters ask for
-- (index.go).
CREATE TABLE search_doc (
  doc    {{bigint}} NOT NULL PRIMARY KEY,
  shard  {{bigint}} NOT NULL,
  app    {{text}} NOT NULL,
  conv   {{text}} NOT NULL,
  seq    {{bigint}} NOT NULL,
  time   {{bigint}} NOT NULL{{if not sqlite}},
  tokens tsvector NOT NULL{{end}}
) {{strict}};
CREATE UNIQUE INDEX search_place ON search_doc (app, conv, seq);
CREATE INDEX search_shard ON search_doc (shard, doc);
CREATE INDEX search_time ON search_doc (time, doc);
{{if sqlite}}
-- The columns of a document are not kept: what is shown is read from the journal.
CREATE VIRTUAL TABLE search_token USING fts5(tokens, content='', contentless_delete=1, detail=none,
  tokenize="unicode61 remove_diacritics 0 categories 'L* N* M* Co'");
{{else}}
CREATE INDEX search_token ON search_doc USING gin (tokens);
{{end}}
