-- What hangs below a message, in its order, with all that a summary of it says:
-- a summary is read from the index alone.
CREATE INDEX entry_thread ON entry (conv_no, target, seq, sender, time) WHERE kind = 1 AND target > 0;
