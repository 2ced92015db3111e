-- The kind of what is wrong with a recording (RecordingProblem).
ALTER TABLE call_recording ADD COLUMN problem_code {{bigint}} NOT NULL DEFAULT 0;
