-- Which tokens the documents of a shard have (index.go). An older program asks
-- for others and would find nothing, so that it may not start any more.
CREATE TABLE search_form (
  shard {{bigint}} NOT NULL PRIMARY KEY,
  form  {{bigint}} NOT NULL
) {{strict}};
