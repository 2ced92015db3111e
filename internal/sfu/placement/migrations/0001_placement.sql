-- Nodes that have an SFU, and which of them each room is on. Both are of processes that run now: nothing here is worth a copy.
-- incarnation: of the SFU, anew whenever one is started. open: 1 = it takes new rooms. Times are of the database's clock.
CREATE TABLE sfu_node (
  node        {{text}}   NOT NULL PRIMARY KEY,
  incarnation {{text}}   NOT NULL,
  url         {{text}}   NOT NULL, -- at which the other nodes reach it
  load        {{bigint}} NOT NULL, -- participants
  open        {{bigint}} NOT NULL,
  lease_until {{bigint}} NOT NULL
) {{strict_without_rowid}};
-- A room is on the SFU that this names while that one's lease runs; afterwards it is nowhere, and whoever needs it places it anew.
CREATE TABLE sfu_room (
  room        {{text}}   NOT NULL PRIMARY KEY,
  node        {{text}}   NOT NULL,
  incarnation {{text}}   NOT NULL,
  placed      {{bigint}} NOT NULL
) {{strict_without_rowid}};
CREATE INDEX sfu_room_node ON sfu_room (node, incarnation, placed);
